import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OutboxTable } from '../../agent/store/outbox-table.ts';
import type { ProfileKind } from '../../protocol/rest/profile.ts';
import { openStore, put } from '../store/sample.ts';
import type { EgressRun } from './egress-run.ts';
import { formatMiB, runChild } from './support.ts';
import type { Bench } from './support.ts';

interface Load {
  readonly name: string;
  readonly kind: ProfileKind;
  readonly count: number;
  readonly options?: string;
  readonly bytes: () => Promise<Buffer> | Buffer;
}

/** How quickly does the agent send what it has, and what does that cost it: CPU, memory, event loop. */
export const bench: Bench = async ({ quick, signal }) => {
  const scale = quick ? 1 : 4;
  const loads: Load[] = [
    { name: 'CPU profiles of 1 MB, one PUT each', kind: 'cpu', count: 50 * scale, bytes: () => randomBytes(1e6) },
    {
      name: 'a heap snapshot as it is stored, in parts',
      kind: 'heap-snapshot',
      count: 1,
      options: ', redact: false',
      bytes: () => randomBytes(64e6 * scale),
    },
    { name: 'a heap snapshot, redacted', kind: 'heap-snapshot', count: 1, bytes: () => takeSnapshot(signal) },
  ];
  const rows = [];
  for (const load of loads) {
    const { plainBytes, ...run } = await measure(load, signal);
    rows.push({
      what: load.name,
      'plain MB': (plainBytes / 1e6).toFixed(0),
      'sent MB': (run.bytes / 1e6).toFixed(0),
      'MB/s sent': (run.bytes / 1e3 / run.wallMs).toFixed(0),
      'CPU s per GB sent': (run.cpuMs / 1e3 / (run.bytes / 1e9)).toFixed(1),
      'CPU s of redaction': (run.childCpuMs / 1e3).toFixed(1),
      'RSS at start': formatMiB(run.startRssBytes),
      'RSS peak': formatMiB(run.peakRssBytes),
      'loop delay p99 / max, ms': `${run.loopDelayP99Ms.toFixed(0)} / ${run.loopDelayMaxMs.toFixed(0)}`,
    });
  }
  return [
    {
      title: 'Egress to S3 over loopback HTTP, every body signed by its SHA-256',
      note: 'the sender in a process of its own, from its sources; the receiver in the bench reads and forgets; one run each; bytes do not compress',
      rows,
    },
  ];
};

async function measure(load: Load, signal: AbortSignal): Promise<EgressRun & { plainBytes: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-egress-'));
  const sink = createServer((request, response) => {
    request.resume().on('end', () => {
      response.setHeader('etag', '"1"');
      response.end('<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>');
    });
  });
  sink.listen(0, '127.0.0.1');
  await once(sink, 'listening');
  try {
    const plainBytes = await fill(directory, load);
    const url = `s3://bucket?endpoint=http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
    const program = join(import.meta.dirname, 'egress-run.ts');
    const args = [program, directory, url, String(load.count), load.options ?? ''];
    const { stdout, stderr } = await runChild(process.execPath, args, signal);
    if (stdout === '') throw new Error(stderr);
    return { ...(JSON.parse(stdout) as EgressRun), plainBytes };
  } finally {
    sink.closeAllConnections();
    sink.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function fill(directory: string, { kind, count, bytes }: Load): Promise<number> {
  await using store = await openStore(directory, { budgetBytes: 4e9 });
  const outbox = new OutboxTable(store);
  let plainBytes = 0;
  for (let index = 0; index < count; index++) {
    const { id, storedBytes, sizeBytes } = await put(store, await bytes(), { kind });
    plainBytes += sizeBytes;
    outbox.add({ destination: 's3', kind: 'profile', item: id, bytes: storedBytes, queuedMs: 0, facts: {} });
  }
  return plainBytes;
}

/** Of about 100 MB: objects with texts. */
async function takeSnapshot(signal: AbortSignal): Promise<Buffer> {
  const file = join(await mkdtemp(join(tmpdir(), 'sidescope-snapshot-')), 'a.heapsnapshot');
  const program = `globalThis.kept = Array.from({ length: 5e5 }, (_, index) => ({ index, text: 'text ' + index }));
    require('node:v8').writeHeapSnapshot(${JSON.stringify(file)});`;
  const { code, stderr } = await runChild(process.execPath, ['-e', program], signal);
  if (code !== 0) throw new Error(stderr);
  const bytes = await readFile(file);
  await rm(join(file, '..'), { recursive: true });
  return bytes;
}
