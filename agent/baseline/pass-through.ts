import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { pageFailure, requestPage } from './metrics-page.ts';
import type { PageRequest, PageSource } from './metrics-page.ts';
import type { PageFeed } from './page-feed.ts';
import type { Reading, Readings } from './readings.ts';

/** Who asks for `/target-metrics`. */
export interface PassThroughCaller {
  readonly headers: Headers;
  /** Aborts when it leaves. */
  readonly signal: AbortSignal;
  /** Cuts its connection, so that it cannot take half a page for the whole. False without a socket. */
  destroySocket(): boolean;
}

export interface PassThroughOptions {
  readonly source: PageSource;
  readonly readings: Readings;
  readonly targetId: () => string | undefined;
  /** The least between two pages that are kept; those between are only passed on. */
  readonly keepEveryMs: number;
  readonly version: string;
  readonly timeoutMs?: number;
  /** Every answer, with what it came to. */
  readonly onPassed: (result: 'ok' | 'failed' | 'refused') => void;
}

const timeoutMsDefault = 30_000;
const requestsMax = 4;
/** A page that nobody can read any more; Prometheus' own default has no bound. */
const bytesMax = 64 * 1024 * 1024;

/**
 * `GET /target-metrics`: the target's page for Prometheus, byte by byte, and for us on the way. Our own credentials stay ours: this listener asks
 * for none, so a page that wants a token gets the one that the caller sent.
 */
export class PassThrough implements Disposable {
  readonly #options: PassThroughOptions;
  readonly #abort = new AbortController();
  #active = 0;
  #isFeeding = false;
  #keptMs = -Infinity;

  constructor(options: PassThroughOptions) {
    this.#options = options;
  }

  /** Rejects with `metrics-busy`, `metrics-unreachable`, `metrics-timeout`, `metrics-http-error`, `invalid-request`. */
  async answer(caller: PassThroughCaller): Promise<Response> {
    const { headers, signal } = caller;
    const { source, onPassed } = this.#options;
    if (this.#active >= requestsMax || (headers.get('user-agent') ?? '').startsWith('Sidescope/')) {
      onPassed('refused');
      throw this.#active >= requestsMax ? busy() : selfReading();
    }
    this.#active++;
    const request = this.#request(headers, signal);
    const passing: Passing = { request, kept: this.#begin(), sizeBytes: 0, isSettled: false };
    try {
      const response = await requestPage(source, request);
      const { statusCode = 502 } = response;
      return new Response(this.#body(response, { passing, caller }), {
        status: statusCode,
        headers: passedHeaders(response.headers),
      });
    } catch (error) {
      throw this.#settle(passing, error);
    }
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new Error('the agent is stopping'));
  }

  #request(headers: Headers, signal: AbortSignal): PageRequest {
    const { version, timeoutMs = timeoutMsDefault } = this.#options;
    const passed = ['accept', 'authorization', 'x-prometheus-scrape-timeout-seconds'].flatMap((name) => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    return {
      headers: {
        ...Object.fromEntries(passed),
        'accept-encoding': 'identity',
        'user-agent': `Sidescope/${version} ${(headers.get('user-agent') ?? '').slice(0, 200)}`.trim(),
      },
      withCredentials: false,
      timeoutMs,
      timeout: AbortSignal.timeout(timeoutMs),
      signal: AbortSignal.any([signal, this.#abort.signal]),
    };
  }

  /** One page is read along at a time, and not more of them than are worth keeping. */
  #begin(): Reading | undefined {
    const { readings, targetId, keepEveryMs } = this.#options;
    const id = targetId();
    const nowMs = performance.now();
    if (id === undefined || this.#isFeeding || nowMs - this.#keptMs < keepEveryMs) return undefined;
    this.#isFeeding = true;
    this.#keptMs = nowMs;
    return readings.begin({ targetId: id, by: 'pass-through' });
  }

  #body(
    response: IncomingMessage,
    { passing, caller }: { passing: Passing; caller: PassThroughCaller },
  ): ReadableStream<Uint8Array> {
    const feed = opened(passing.kept, response);
    const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    // Also when nobody ever reads the stream: the client left, or asked for the head only.
    const left = () => this.#settle(passing, new SidescopeError('metrics-unreachable', 'the reader left'));
    response.once('close', () => void (response.readableEnded || left()));
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const chunk = await chunks.next();
            if (chunk.done === true) {
              await this.#finish(passing, feed);
              controller.close();
              return;
            }
            passing.sizeBytes += chunk.value.length;
            if (passing.sizeBytes > bytesMax)
              throw new SidescopeError(
                'metrics-too-large',
                `the page has more than ${bytesMax} bytes: it is cut there`,
              );
            if (!isSidescopeError(feed)) await feed?.write(chunk.value);
            controller.enqueue(chunk.value);
          } catch (error) {
            response.destroy();
            const failure = this.#settle(passing, error);
            // An error given to the stream would be answered as text behind the bytes.
            if (!caller.destroySocket()) controller.error(failure);
          }
        },
        cancel: () => {
          left();
          response.destroy();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** The page is passed on; what our parser has against it is no matter of the reader's. */
  async #finish(passing: Passing, feed: PageFeed | SidescopeError | undefined): Promise<void> {
    const { kept, sizeBytes } = passing;
    this.#close(passing, 'ok');
    try {
      if (isSidescopeError(feed)) throw feed;
      if (feed !== undefined) kept?.succeed(await feed.end(), feed);
    } catch (error) {
      kept?.fail(pageFailure(error, { ...this.#options, ...passing }), sizeBytes);
    } finally {
      if (kept !== undefined) this.#isFeeding = false;
    }
  }

  #settle(passing: Passing, error: unknown): SidescopeError {
    const failure = pageFailure(error, { ...this.#options, ...passing });
    if (!this.#close(passing, 'failed') || passing.kept === undefined) return failure;
    this.#isFeeding = false;
    passing.kept.fail(failure, passing.sizeBytes);
    return failure;
  }

  /** Once for each answer; false when it was before. */
  #close(passing: Passing, result: 'ok' | 'failed'): boolean {
    if (passing.isSettled) return false;
    passing.isSettled = true;
    this.#active--;
    this.#options.onPassed(result);
    return true;
  }
}

interface Passing {
  readonly request: PageRequest;
  /** Undefined when it is only passed on. */
  readonly kept: Reading | undefined;
  sizeBytes: number;
  isSettled: boolean;
}

function opened(kept: Reading | undefined, response: IncomingMessage): PageFeed | SidescopeError | undefined {
  try {
    return kept?.open(response);
  } catch (error) {
    if (isSidescopeError(error)) return error;
    throw error;
  }
}

function passedHeaders(headers: IncomingHttpHeaders): Headers {
  const passed = new Headers();
  for (const name of ['content-type', 'content-encoding', 'www-authenticate'] as const) {
    const value = headers[name];
    if (value !== undefined) passed.set(name, value);
  }
  return passed;
}

function busy(): SidescopeError {
  return new SidescopeError('metrics-busy', `the page is being read ${requestsMax} times at once, which is the limit`, {
    details: { retryAfterSeconds: 1 },
  });
}

function selfReading(): SidescopeError {
  return new SidescopeError(
    'invalid-request',
    'an agent asks for this page: --metrics-url must name the application itself',
  );
}
