import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { createGunzip, createGzip } from 'node:zlib';
import { SnapshotRedactor } from '../../protocol/heap-snapshot/redact.ts';
import { childFailureOf } from './child-failure.ts';
import type { RedactionRequest } from './redactions.ts';

/** Half a MiB of plain bytes at a time: larger ones are no quicker. */
const chunkBytes = 512 * 1024;

/** Reads one request from stdin, writes the redacted snapshot to stdout, and what went wrong to stderr, as JSON. */
const request = JSON.parse(await text(process.stdin)) as RedactionRequest;
try {
  const source = createReadStream(request.path, { highWaterMark: chunkBytes });
  const gunzip = createGunzip({ chunkSize: chunkBytes });
  if (request.gzip) await pipeline(source, gunzip, redact, createGzip({ level: 1 }), process.stdout);
  else await pipeline(source, gunzip, redact, process.stdout);
} catch (error) {
  process.stderr.write(JSON.stringify(childFailureOf(error)));
  process.exitCode = 1;
}

async function* redact(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let written: Uint8Array[] = [];
  const salt = Buffer.from(request.salt, 'hex');
  const redactor = new SnapshotRedactor({ salt, write: (bytes) => written.push(bytes) });
  const take = (): Uint8Array[] => {
    const taken = written;
    written = [];
    return taken;
  };
  for await (const chunk of source) {
    redactor.push(chunk);
    yield* take();
  }
  redactor.finish();
  yield* take();
}
