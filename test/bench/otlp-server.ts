// A receiver in a process of its own, for otlp.bench.ts: `node otlp-server.ts own|protobufjs|ack [FORWARD_URL]`. Says its port, and at each line on stdin its CPU
// time in microseconds, spans held, RSS in bytes.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { Requests } from '../../agent/requests/requests.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { decodeWithProtobufjs } from './protobufjs-spans.ts';

const [mode = 'own', forward] = process.argv.slice(2);
const keptMax = 200_000;
const ring: Span[] = [];
const byOperation = new Map<string, { count: number; sumMs: number }>();
let received = 0;

function keep(spans: readonly Span[]): void {
  for (const span of spans) {
    const key = `${span.scopeName} ${span.name}`;
    const operation = byOperation.get(key) ?? { count: 0, sumMs: 0 };
    operation.count++;
    operation.sumMs += span.durationMs;
    byOperation.set(key, operation);
    ring[received++ % keptMax] = span;
  }
}

const requests = new Requests({
  sink: { add: keep },
  log: createLog({ level: 'silent' }),
  version: '0.0.0',
  pathPrefix: '',
  bodyBytesMax: 64 * 2 ** 20,
  forward: {
    url: forward === undefined ? undefined : new URL(forward),
    tracesUrl: undefined,
    headers: {},
    queueBytesMax: 32 * 2 ** 20,
  },
});

const server = createServer((request, response) => {
  if (mode === 'own') {
    void requests.handle(request, response);
    return;
  }
  void buffer(request).then((body) => {
    if (mode === 'protobufjs') keep(decodeWithProtobufjs(body));
    response.setHeader('content-type', 'application/x-protobuf');
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as AddressInfo).port}`));
createInterface({ input: process.stdin }).on('line', () => {
  const { user, system } = process.cpuUsage();
  console.log(
    JSON.stringify({
      cpuUs: user + system,
      received,
      rssBytes: process.memoryUsage().rss,
      forward: requests.stats().forward,
    }),
  );
});
process.stdin.on('end', () => process.exit(0));
