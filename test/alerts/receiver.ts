import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { freePort } from '../support/free-port.ts';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed. */
  readonly body: Buffer;
}

/** A status, with headers perhaps, or no answer at all. */
export type Answer = { readonly status: number; readonly headers?: Record<string, string> } | 'hang';

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Everything that came, in order; also what was then refused. */
  readonly received: readonly Received[];
  /** How the following requests are answered; the last one goes for all that come after. */
  answerWith(...answers: Answer[]): void;
}

/** An HTTP server on a port of its own that keeps what it gets; answers 200 unless told. */
export async function openReceiver({ port: wanted }: { port?: number } = {}): Promise<Receiver> {
  // Of its own, so that it can come back to it.
  const port = wanted ?? (await freePort());
  const received: Received[] = [];
  let answers: Answer[] = [{ status: 200 }];
  const server = createServer((request, response) => {
    void buffer(request).then(
      (bytes) => {
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
        received.push({ path: request.url ?? '', headers: request.headers, body });
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        if (answer === 'hang' || answer === undefined) return;
        response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end('{}');
      },
      // The sender gave up within its body.
      () => undefined,
    );
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received,
    answerWith: (...next) => void (answers = next),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The lines of a Sentry envelope: header, then each item's header and payload. */
export function parseEnvelope(body: Buffer): {
  header: Record<string, unknown>;
  items: { header: Record<string, unknown>; payload: Buffer }[];
} {
  let offset = 0;
  const line = (): Buffer => {
    const end = body.indexOf(10, offset);
    const bytes = body.subarray(offset, end === -1 ? body.length : end);
    offset += bytes.length + 1;
    return bytes;
  };
  const header = JSON.parse(line().toString()) as Record<string, unknown>;
  const items: { header: Record<string, unknown>; payload: Buffer }[] = [];
  while (offset < body.length) {
    const itemHeader = JSON.parse(line().toString()) as Record<string, unknown>;
    const length = itemHeader['length'];
    if (typeof length !== 'number') {
      items.push({ header: itemHeader, payload: line() });
      continue;
    }
    items.push({ header: itemHeader, payload: body.subarray(offset, offset + length) });
    offset += length + 1;
  }
  return { header, items };
}
