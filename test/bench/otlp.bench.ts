import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { bufferText } from '../../agent/requests/buffer-text.ts';
import { checkTraceRequest } from '../../protocol/otlp/check.ts';
import { decodeJsonRequest } from '../../protocol/otlp/decode-json.ts';
import { TraceDecoder } from '../../protocol/otlp/decode.ts';
import { spliceAttributes } from '../../protocol/otlp/splice.ts';
import { TraceRequest } from '../otlp/proto.ts';
import { openUpstream } from '../requests/otlp-harness.ts';
import { decodeWithProtobufjs } from './protobufjs-spans.ts';
import { formatSpread, spreadOf } from './support.ts';
import type { Bench, BenchTable } from './support.ts';

const folder = join(import.meta.dirname, '../fixtures/otlp');
const body = readFileSync(join(folder, 'express5-pg-redis-512-0.pb'));
const jsonBody = readFileSync(join(folder, 'express5-pg-redis-512.json'));
const spansPerBody = 512;

/** What does a span cost: decoded, received, kept, forwarded; against protobufjs in the same run. */
export const bench: Bench = async ({ quick, signal }) => [
  decodeTable(quick ? 5 : 15),
  await receiveTable({ quick, signal }),
  await outageTable({ quick, signal }),
];

function decodeTable(rounds: number): BenchTable {
  const decoder = new TraceDecoder(bufferText);
  const { offsets } = [...decoder.decode(body)].reduce((all, slice) => ({
    ...slice,
    offsets: [...all.offsets, ...slice.offsets],
  }));
  const one = offsets
    .filter((_, index) => index % 32 === 0)
    .map((offset) => ({ offset, attributes: { 'pyroscope.profile.id': '0102030405060708' } }));
  const ways: Record<string, () => unknown> = {
    'protobufjs, decode and normalise': () => decodeWithProtobufjs(body),
    'protobufjs, decode only': () => TraceRequest.decode(body),
    'own: check and decode': () => [exhaust(checkTraceRequest(body)), exhaust(decoder.decode(body))],
    'own: check, before the acknowledgement': () => exhaust(checkTraceRequest(body)),
    'own: decode, after it': () => exhaust(decoder.decode(body)),
    'own: JSON': () => exhaust(decodeJsonRequest(jsonBody)),
    'JSON.parse only': () => JSON.parse(jsonBody.toString()) as unknown,
    'splice one span in 32': () => spliceAttributes(body, one),
  };
  const costs = Object.fromEntries(Object.keys(ways).map((name) => [name, [] as number[]]));
  for (let round = -2; round < rounds; round++)
    for (const [name, way] of Object.entries(ways)) {
      const perSpan = cpuUsOf(way) / spansPerBody;
      if (round >= 0) costs[name]?.push(perSpan);
    }
  const base = spreadOf(costs['protobufjs, decode and normalise'] ?? []).median;
  return {
    title: 'CPU to decode a span (µs)',
    note: 'one recorded body of 512 spans (217 B each), 40 times a round, ways in turn, median (min-max); both keep nothing. protobufjs 8 with the code that it generates itself; both end in the same spans',
    rows: Object.entries(costs).map(([way, values]) => ({
      way,
      'µs per span': formatSpread(spreadOf(values), 3),
      'times less': (base / spreadOf(values).median).toFixed(1),
    })),
  };
}

function exhaust(machine: Iterator<unknown>): void {
  while (machine.next().done !== true);
}

function cpuUsOf(way: () => unknown): number {
  const times = 40;
  const before = process.cpuUsage();
  for (let time = 0; time < times; time++) way();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

interface Scenario {
  readonly quick: boolean;
  readonly signal: AbortSignal;
}

async function receiveTable({ quick, signal }: Scenario): Promise<BenchTable> {
  const batches = quick ? 400 : 1_600;
  const rows = [];
  await using upstream = await openUpstream();
  upstream.answer = (response) => {
    upstream.received.length = 0;
    response.end();
  };
  for (const [name, args] of [
    ['HTTP and acknowledgement only', ['ack']],
    ['protobufjs, decoded before it', ['protobufjs']],
    ['Sidescope', ['own']],
    ['Sidescope, forwarding', ['own', upstream.url.href]],
  ] as const) {
    await using server = await startServer(args, signal);
    await server.load({ batches: 200, connections: 4 });
    const before = await server.stats();
    const acks = await server.load({ batches, connections: 4 });
    const after = await server.settled(before.received + (name.startsWith('HTTP') ? 0 : batches * spansPerBody));
    const cpuUs = (after.cpuUs - before.cpuUs) / (batches * spansPerBody);
    // Paced as exporters are: 5,000 spans a second.
    const paced = await server.load({ batches: quick ? 30 : 100, connections: 1, everyMs: 102 });
    rows.push({
      path: name,
      'CPU µs per span': cpuUs.toFixed(2),
      'ack p99, 4 connections as fast as they can (ms)': percentile(acks, 0.99).toFixed(1),
      'ack p99 at 5,000 spans/s (ms)': percentile(paced, 0.99).toFixed(1),
      'RSS with 200,000 spans (MiB)': Math.round((await server.stats()).rssBytes / 2 ** 20),
    });
  }
  return {
    title: 'Receiving: HTTP, check, decode, statistics per operation, a ring of 200,000 spans',
    note: `${batches} requests of 512 spans in a server process of its own, its CPU time; one run each, after 200 requests of warming up; client and server share the cores`,
    rows,
  };
}

/** The upstream is down while spans come; then it is back. */
async function outageTable({ quick, signal }: Scenario): Promise<BenchTable> {
  const downMs = quick ? 3_000 : 30_000;
  await using upstream = await openUpstream();
  const url = upstream.url;
  await upstream.stop();
  await using server = await startServer(['own', url.href], signal);
  const batches = Math.round((downMs / 1_000) * (5_000 / spansPerBody));
  const acks = await server.load({ batches, connections: 1, everyMs: downMs / batches });
  const down = await server.stats();
  await using again = await openUpstream(Number(url.port));
  const sent = batches * spansPerBody;
  const deadline = Date.now() + 60_000;
  let after = down;
  while ((after.forward?.sentSpans ?? 0) < sent && Date.now() < deadline) {
    await delay(100, undefined, { signal });
    after = await server.stats();
  }
  return {
    title: `5,000 spans/s with the upstream down for ${downMs / 1_000} s`,
    note: `bodies not compressed by the sender, queue 32 MiB; the upstream got ${again.received.length} requests`,
    rows: [
      {
        'spans sent': sent,
        'with the sink': after.received,
        'upstream at last': after.forward?.sentSpans ?? 0,
        dropped: after.forward?.dropped['queue-full'].spans ?? 0,
        'queue when back (MiB)': ((down.forward?.queuedBytes ?? 0) / 2 ** 20).toFixed(1),
        'ack p99 (ms)': percentile(acks, 0.99).toFixed(1),
        'RSS (MiB)': Math.round(down.rssBytes / 2 ** 20),
      },
    ],
  };
}

interface Stats {
  readonly cpuUs: number;
  readonly received: number;
  readonly rssBytes: number;
  readonly forward?: { sentSpans: number; queuedBytes: number; dropped: Record<'queue-full', { spans: number }> };
}

async function startServer(args: readonly string[], signal: AbortSignal) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'otlp-server.ts'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal,
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const port = Number((await next()).slice('port '.length));
  const stats = async (): Promise<Stats> => {
    child.stdin.write('stats\n');
    return JSON.parse(await next()) as Stats;
  };
  return {
    stats,
    load: (load: Load) => sendLoad(port, load),
    /** When so many spans have reached the sink. */
    async settled(received: number): Promise<Stats> {
      for (;;) {
        const seen = await stats();
        if (seen.received >= received) return seen;
        await delay(20, undefined, { signal });
      }
    },
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}

interface Load {
  readonly batches: number;
  readonly connections: number;
  readonly everyMs?: number;
}

/** Milliseconds from the last byte of each request to its answer. */
async function sendLoad(port: number, { batches, connections, everyMs }: Load): Promise<number[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  let left = batches;
  const run = async (): Promise<void> => {
    while (left-- > 0) {
      const startMs = performance.now();
      const ackMs = await post(port, agent);
      if (ackMs === undefined) {
        // Told to come again later, as nothing in the world sends like this: the exporters' own second would only prolong the bench.
        left++;
        await delay(50);
        continue;
      }
      times.push(ackMs);
      if (everyMs !== undefined) await delay(Math.max(0, everyMs - (performance.now() - startMs)));
    }
  };
  await Promise.all(Array.from({ length: connections }, run));
  agent.destroy();
  return times;
}

/** Undefined where the receiver is busy (503). */
function post(port: number, agent: http.Agent): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const headers = { 'content-type': 'application/x-protobuf' };
  const request = http.request(
    { port, host: '127.0.0.1', path: '/v1/traces', method: 'POST', agent, headers },
    (response) => {
      const { statusCode } = response;
      if (statusCode !== 200 && statusCode !== 503) reject(new Error(`HTTP ${statusCode}`));
      response.resume().on('end', () => resolve(statusCode === 503 ? undefined : performance.now() - sentMs));
    },
  );
  const sentMs = performance.now();
  request.on('error', reject).end(body);
  return promise;
}

function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN;
}
