import http from 'node:http';
import https from 'node:https';
import { contentTypes } from '../../protocol/otlp/encoding.ts';
import { decodePartialSuccess } from '../../protocol/otlp/response.ts';
import type { PartialSuccess } from '../../protocol/otlp/response.ts';
import type { Forwarded } from './forward-queue.ts';
import type { OtlpSignal } from './received.ts';
import { retryableStatuses, retryAfterMs } from './retry.ts';

export interface UpstreamOptions {
  /** `/v1/traces` and so on are put behind it. */
  readonly url: URL | undefined;
  /** For traces, as it is; goes before `url`. */
  readonly tracesUrl: URL | undefined;
  /** Of the configuration: they go before what a sender sent. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly connections: number;
}

export type Outcome =
  | { readonly outcome: 'sent'; readonly partial: PartialSuccess | undefined }
  | { readonly outcome: 'retry'; readonly reason: string; readonly afterMs: number | undefined }
  | { readonly outcome: 'refused'; readonly reason: string };

/** What is read of an answer; the specification's bound. */
const responseBytesMax = 4 * 1024 * 1024;

/** An OTLP endpoint. Requests are plain `node:http`: nothing instruments them, no redirect is followed, no trace context is added. */
export class Upstream implements Disposable {
  readonly #options: UpstreamOptions;
  readonly #agents: { readonly 'http:': http.Agent; readonly 'https:': https.Agent };

  constructor(options: UpstreamOptions) {
    this.#options = options;
    const pool = { keepAlive: true, maxSockets: options.connections, maxFreeSockets: options.connections };
    this.#agents = { 'http:': new http.Agent(pool), 'https:': new https.Agent(pool) };
  }

  /** Where a signal goes; undefined when nothing is configured for it. */
  urlOf(signal: OtlpSignal): URL | undefined {
    const { url, tracesUrl } = this.#options;
    if (signal === 'traces' && tracesUrl !== undefined) return tracesUrl;
    if (url === undefined) return undefined;
    const full = new URL(url);
    full.pathname = `${full.pathname.replace(/\/+$/, '')}/v1/${signal}`;
    return full;
  }

  /** Never rejects: every way to fail is an outcome. An aborted one is to be retried. */
  async post(item: Forwarded, signal: AbortSignal): Promise<Outcome> {
    const url = this.urlOf(item.signal);
    if (url === undefined) return { outcome: 'refused', reason: `no upstream for ${item.signal}` };
    const { timeoutMs } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await this.#send(item, { url, signal: AbortSignal.any([signal, timeout]) });
      return await outcomeOf(response, item);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason = timeout.aborted ? `no answer in ${timeoutMs} ms` : (code ?? message);
      return { outcome: 'retry', reason, afterMs: undefined };
    }
  }

  [Symbol.dispose](): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  #send(item: Forwarded, { url, signal }: { url: URL; signal: AbortSignal }): Promise<http.IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const isSecure = url.protocol === 'https:';
    const request = (isSecure ? https : http).request(url, {
      method: 'POST',
      agent: isSecure ? this.#agents['https:'] : this.#agents['http:'],
      signal,
      headers: {
        ...item.headers,
        ...this.#options.headers,
        'content-type': contentTypes[item.encoding],
        'content-length': item.body.length,
        ...(item.contentEncoding === undefined ? {} : { 'content-encoding': item.contentEncoding }),
      },
    });
    request.on('response', resolve);
    request.on('error', reject);
    request.end(item.body);
    return promise;
  }
}

async function outcomeOf(response: http.IncomingMessage, { encoding }: Forwarded): Promise<Outcome> {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) {
    // The request has arrived; an answer that breaks off is no reason to send it twice.
    const body = await readSome(response).catch(() => undefined);
    return { outcome: 'sent', partial: body === undefined ? undefined : decodePartialSuccess(encoding, body) };
  }
  // Read so that the connection can be used again, to the same bound; what it says changes nothing.
  void readSome(response).catch(() => undefined);
  if (!retryableStatuses.includes(status)) return { outcome: 'refused', reason: `HTTP ${status}` };
  const afterMs = retryAfterMs(response.headers['retry-after'], Date.now());
  return { outcome: 'retry', reason: `HTTP ${status}`, afterMs };
}

async function readSome(response: http.IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    // Leaving the loop destroys the answer, and its connection.
    if (length > responseBytesMax) return undefined;
  }
  return Buffer.concat(chunks);
}
