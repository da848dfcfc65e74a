import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { openOtlpServer } from '../../agent/http/otlp-server.ts';
import type { Timeouts } from '../../agent/http/listener.ts';
import { Requests } from '../../agent/requests/requests.ts';
import type { RequestsOptions } from '../../agent/requests/requests.ts';
import type { SpanBatch, SpanSink } from '../../agent/requests/span-sink.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import { createMetrics } from '../../agent/telemetry/metrics.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { freePort } from '../support/free-port.ts';

export const protobuf = { 'content-type': 'application/x-protobuf' };
export const json = { 'content-type': 'application/json' };

/** Keeps everything; `onAdd` may block, to be a slow one. */
export class CollectingSink implements SpanSink {
  readonly spans: Span[] = [];
  readonly batches: SpanBatch[] = [];
  onAdd: () => void = () => undefined;

  add(spans: readonly Span[], batch: SpanBatch): void {
    this.onAdd();
    this.spans.push(...spans);
    this.batches.push(batch);
  }
}

export interface OtlpHarness extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly requests: Requests;
  readonly sink: CollectingSink;
  readonly logged: readonly string[];
  post(path: string, body: string | Uint8Array, headers?: Record<string, string>): Promise<Response>;
}

/** The OTLP part of the agent by itself, at a free port. */
export async function openOtlp(
  options: {
    forward?: Partial<RequestsOptions['forward']>;
    bodyBytesMax?: number;
    pathPrefix?: string;
    timeouts?: Partial<Timeouts>;
  } = {},
): Promise<OtlpHarness> {
  const logged: string[] = [];
  const log = createLog({ level: 'info', destination: { write: (line) => logged.push(line) } });
  const sink = new CollectingSink();
  const requests = new Requests({
    sink,
    log,
    version: '1.2.3',
    pathPrefix: options.pathPrefix ?? '',
    bodyBytesMax: options.bodyBytesMax ?? 64 * 2 ** 20,
    containerBytes: Infinity,
    forward: { url: undefined, tracesUrl: undefined, headers: {}, queueBytesMax: 32 * 2 ** 20, ...options.forward },
  });
  const metrics = createMetrics({ version: '1.2.3', nodeVersion: 'v24' });
  const address = { host: '127.0.0.1', port: 0 };
  const { timeouts } = options;
  const server = await openOtlpServer(
    { requests, metrics, log, ...(timeouts && { timeouts }) },
    { address, isChosen: true },
  );
  const { url, port } = server.listeners[0] ?? { url: logged.join(''), port: 0 };
  return {
    url,
    port,
    requests,
    sink,
    logged,
    post: (path, body, headers = protobuf) =>
      fetch(`${url}${path}`, { method: 'POST', body: typeof body === 'string' ? body : new Uint8Array(body), headers }),
    async [Symbol.asyncDispose]() {
      await server.close();
      await requests.close({ graceMs: 0 });
    },
  };
}

export interface UpstreamRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly atMs: number;
}

export interface FakeUpstream extends AsyncDisposable {
  readonly url: URL;
  readonly received: UpstreamRequest[];
  /** How requests are answered from now on; the body is read before. */
  answer: (response: ServerResponse, request: UpstreamRequest) => void;
  /** Takes connections no more; those that are open are cut. */
  stop(): Promise<void>;
}

/** Of its own port, so that it can come back to it. */
export async function openUpstream(port?: number): Promise<FakeUpstream> {
  const received: UpstreamRequest[] = [];
  const upstream = { answer: (response: ServerResponse, _: UpstreamRequest) => void response.writeHead(200).end() };
  const server = createServer((request, response) => void take(request, response));
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url: path = '', headers } = request;
    const read = { path, headers, body: await buffer(request), atMs: performance.now() };
    received.push(read);
    upstream.answer(response, read);
  };
  const chosen = port ?? (await freePort());
  await new Promise<void>((resolve) => server.listen(chosen, '127.0.0.1', resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return Object.assign(upstream, {
    url: new URL(`http://127.0.0.1:${chosen}`),
    received,
    stop,
    [Symbol.asyncDispose]: stop,
  });
}
