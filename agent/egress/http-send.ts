import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { retryAfterMs } from '../requests/retry.ts';
import { SendError } from './send-error.ts';

/** Of an answer; the rest of it says nothing that we read. */
const answerBytesMax = 1024 * 1024;
/** What a receiver may ask for at most. */
const longestRetryAfterMs = 15 * 60_000;

export interface Sending {
  /** Also where credentials are looked at: it holds none. */
  readonly url: URL;
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes, or a stream of exactly `sizeBytes`. */
  readonly body?: Uint8Array | { readonly stream: Readable; readonly sizeBytes: number } | undefined;
  /** Of the answer's body; beyond it rejects. Default 1 MiB. */
  readonly answerBytesMax?: number | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface SenderTimes {
  /** Without a byte in either direction. */
  readonly idleMs: number;
  /** Of a whole request: for its answer, beside what its bytes take at the least rate. */
  readonly answerMs: number;
  readonly bytesPerSecond: number;
}

const defaultTimes: SenderTimes = { idleMs: 30_000, answerMs: 60_000, bytesPerSecond: 64 * 1024 };

/** Requests to one receiver: plain `node:http`, so that nothing instruments them and no redirect is followed. At most two connections. */
export class HttpSender implements Disposable {
  /** For messages: host and port. */
  readonly name: string;
  readonly #agent: http.Agent;
  readonly #times: SenderTimes;

  constructor(base: URL, options: { ca?: string | undefined; times?: Partial<SenderTimes> | undefined } = {}) {
    this.name = base.host;
    const pool = { keepAlive: true, maxSockets: 2, maxFreeSockets: 1 };
    this.#agent =
      base.protocol === 'https:'
        ? new https.Agent({ ...pool, ...(options.ca !== undefined && { ca: options.ca }) })
        : new http.Agent(pool);
    this.#times = { ...defaultTimes, ...options.times };
  }

  /** Any status is an answer. Rejects with a `SendError` (`unreachable`, `timeout`, `cut`), with what the body's stream failed with, or with `signal.reason`. */
  async send(sending: Sending, signal: AbortSignal): Promise<Answer> {
    const sizeBytes = sizeOf(sending.body);
    const { answerMs, bytesPerSecond } = this.#times;
    const limitMs = Math.ceil(answerMs + (sizeBytes / bytesPerSecond) * 1_000);
    const timeout = AbortSignal.timeout(limitMs);
    const failure: { stream?: Error } = {};
    try {
      signal.throwIfAborted();
      return await this.#exchange(sending, { signal: AbortSignal.any([signal, timeout]), failure });
    } catch (error) {
      signal.throwIfAborted();
      if (failure.stream !== undefined) throw failure.stream;
      if (error instanceof SendError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      if (timeout.aborted || code === 'ETIMEDOUT')
        throw this.#error(`${this.name} was not done after ${limitMs} ms`, 'timeout', error);
      const isCut = code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE';
      if (isCut) throw this.#error(`${this.name} cut the connection (${code})`, 'cut', error);
      throw this.#error(`${this.name} cannot be reached (${code ?? message})`, 'unreachable', error);
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #exchange(
    { url, method, headers, body, answerBytesMax: bytesMax = answerBytesMax }: Sending,
    { signal, failure }: { signal: AbortSignal; failure: { stream?: Error } },
  ): Promise<Answer> {
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      method,
      agent: this.#agent,
      signal,
      headers: { ...headers, ...(body !== undefined && { 'content-length': String(sizeOf(body)) }) },
    });
    request.setTimeout(this.#times.idleMs, () => {
      request.destroy(this.#error(`${this.name} was silent for ${this.#times.idleMs} ms`, 'timeout'));
    });
    const { promise: answered, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    request.on('response', resolve);
    request.on('error', reject);
    if (body === undefined || body instanceof Uint8Array) request.end(body);
    else {
      body.stream.once('error', (error) => (failure.stream = error));
      // A receiver may refuse before it has read everything: then its answer is what counts, not that it hung up.
      pipeline(body.stream, request).catch(reject);
    }
    try {
      const response = await answered;
      delete failure.stream;
      return { status: response.statusCode ?? 0, headers: response.headers, body: await readAll(response, bytesMax) };
    } finally {
      if (body !== undefined && !(body instanceof Uint8Array)) body.stream.destroy();
      // Refused half-way: what is left to send is not.
      if (!request.writableFinished) request.destroy();
    }
  }

  #error(message: string, reason: 'timeout' | 'cut' | 'unreachable', cause?: unknown): SendError {
    return new SendError(message, { reason, next: 'destination-waits', cause });
  }
}

/** For a status that is no success. `said` is the receiver's own code, bounded. Only what is about the profile itself is final. */
export function refusal(
  receiver: string,
  { status, headers }: Pick<Answer, 'status' | 'headers'>,
  said = '',
): SendError {
  const message = `${receiver} answered ${status}${said === '' ? '' : ` ${said}`}`;
  const asked = retryAfterMs(headers['retry-after'], Date.now(), longestRetryAfterMs);
  if (status === 401 || status === 403)
    return new SendError(message, { reason: 'credentials', next: 'destination-waits', retryAfterMs: asked });
  if (status === 429 || status === 503)
    return new SendError(message, { reason: 'throttled', next: 'destination-waits', retryAfterMs: asked });
  if (status >= 500)
    return new SendError(message, { reason: 'server-error', next: 'destination-waits', retryAfterMs: asked });
  const isAboutTheItem = status === 400 || status === 411 || status === 413 || status === 415 || status === 422;
  return new SendError(message, { reason: 'refused', next: isAboutTheItem ? 'never' : 'destination-waits' });
}

function sizeOf(body: Sending['body']): number {
  if (body === undefined) return 0;
  return body instanceof Uint8Array ? body.length : body.sizeBytes;
}

async function readAll(response: http.IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += (chunk as Buffer).length;
    // Leaving the loop destroys the answer, and its connection.
    if (length > bytesMax)
      throw new SendError(`the answer has over ${bytesMax} B`, { reason: 'refused', next: 'never' });
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
