import type { IncomingMessage, ServerResponse } from 'node:http';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { checkTraceRequest } from '../../protocol/otlp/check.ts';
import { decodeJsonRequest } from '../../protocol/otlp/decode-json.ts';
import type { DecodedJson } from '../../protocol/otlp/decode-json.ts';
import { contentTypes, encodingOf } from '../../protocol/otlp/encoding.ts';
import type { OtlpEncoding } from '../../protocol/otlp/encoding.ts';
import { encodeResponse, encodeStatus, RpcCode } from '../../protocol/otlp/response.ts';
import type { PartialSuccess } from '../../protocol/otlp/response.ts';
import { problemKinds } from '../../protocol/rest/problem.ts';
import { forwardedHeaders } from './forwarded-headers.ts';
import { inflate, readBody, tooBusy, tooLarge } from './read-body.ts';
import type { ByteBudget } from './read-body.ts';
import type { OtlpSignal, Received, ReceivedTraces } from './received.ts';
import { runInSteps } from './steps.ts';

/** What a checked request is handed to; must not wait and not throw. */
export interface Intake {
  /** `decoded` where checking was decoding, as for JSON. The bytes of `plain` go back to the budget when it is done with them. */
  traces(received: ReceivedTraces, decoded: DecodedJson | undefined): void;
  other(received: Received): void;
  /** Something that the sender's people should know, at most now and then. */
  takeWarning(): string | undefined;
}

export interface ReceiverOptions {
  readonly intake: Intake;
  readonly budget: ByteBudget & { readonly isFull: boolean };
  /** In front of `/v1/traces`; empty, or beginning with a slash. */
  readonly pathPrefix: string;
  readonly bodyBytesMax: number;
  /** Product name and version, for User-Agent. */
  readonly agentName: string;
  readonly onAnswered: (answer: {
    signal: OtlpSignal | 'unknown';
    status: number;
    spans: number;
    rejected: number;
  }) => void;
  readonly onFault: (error: unknown) => void;
}

const signals: Readonly<Record<string, OtlpSignal>> = {
  '/v1/traces': 'traces',
  '/v1/metrics': 'metrics',
  '/v1/logs': 'logs',
};

/** Seconds. Never 0, which the JS exporter takes as "at once, six times"; above its deadline of 10 s it drops the batch. */
const retryAfter = '1';

/**
 * OTLP over HTTP, as opentelemetry-proto's specification has it: protobuf and JSON, gzip, chunked. A request is answered when it is checked and handed on; what
 * becomes of it then, here and upstream, the sender does not wait for.
 */
export class Receiver {
  readonly #options: ReceiverOptions;
  #inflating: Promise<unknown> = Promise.resolve();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Answers every request, whatever is wrong with it; for `node:http`, also for requests that expect 100. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { onAnswered, onFault } = this.#options;
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const prefix = this.#options.pathPrefix;
    const signal = path.startsWith(prefix) ? signals[path.slice(prefix.length)] : undefined;
    const encoding = encodingOf(request.headers['content-type']);
    try {
      const { spans, partial } = await this.#receive(request, { response, path, signal, encoding });
      answer(response, { status: 200, encoding, body: encodeResponse(encoding ?? 'json', partial) });
      onAnswered({ signal: signal ?? 'unknown', status: 200, spans, rejected: partial?.rejectedCount ?? 0 });
    } catch (error) {
      if (!isSidescopeError(error)) onFault(error);
      const status = isSidescopeError(error) ? problemKinds[error.code].status : 500;
      onAnswered({ signal: signal ?? 'unknown', status, spans: 0, rejected: 0 });
      refuse(request, response, { status, error, encoding });
    }
  }

  async #receive(
    request: IncomingMessage,
    about: {
      response: ServerResponse;
      path: string;
      signal: OtlpSignal | undefined;
      encoding: OtlpEncoding | undefined;
    },
  ): Promise<{ spans: number; partial: PartialSuccess | undefined }> {
    const { signal, encoding } = about;
    const { bodyBytesMax, budget, agentName, intake } = this.#options;
    if (signal === undefined)
      throw new SidescopeError('not-found', `nothing is taken at ${JSON.stringify(about.path.slice(0, 100))}`);
    if (request.method !== 'POST') throw new SidescopeError('method-not-allowed', 'only POST');
    if (encoding === undefined) throw badType(`Content-Type must be ${Object.values(contentTypes).join(' or ')}`);
    const contentEncoding = contentEncodingOf(request);
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > bodyBytesMax) throw tooLarge(bodyBytesMax, declared);
    if (budget.isFull) throw tooBusy();

    if (request.headers.expect !== undefined) about.response.writeContinue();
    const body = await readBody(request, { bodyBytesMax, budget });
    const received: Received = {
      signal,
      encoding,
      body,
      contentEncoding,
      headers: forwardedHeaders(request.headers, agentName),
      receivedAtMs: Date.now(),
    };
    if (signal !== 'traces') {
      budget.give(body.length);
      intake.other(received);
      return { spans: 0, partial: undefined };
    }
    return this.#traces({ ...received, signal });
  }

  async #traces(
    received: Received & { signal: 'traces' },
  ): Promise<{ spans: number; partial: PartialSuccess | undefined }> {
    const { budget, intake } = this.#options;
    let held = received.body.length;
    try {
      const isPlain = received.contentEncoding === undefined;
      const plain = isPlain ? received.body : await this.#inflate(received.body);
      if (!isPlain) {
        if (!budget.take(plain.length)) throw tooBusy();
        budget.give(held);
        held = plain.length;
      }
      const isJson = received.encoding === 'json';
      const decoded = isJson ? await runInSteps(decodeJsonRequest(plain)) : undefined;
      const { spanCount, rejectedCount } = decoded ?? (await runInSteps(checkTraceRequest(plain)));
      held = 0;
      intake.traces({ ...received, plain, spanCount }, decoded);
      return { spans: spanCount, partial: partialOf(rejectedCount, intake) };
    } finally {
      budget.give(held);
    }
  }

  /** One at a time: what a body takes unpacked is known, and in the budget, only then; bodies of 20 MiB are sent as 20 kB. */
  #inflate(body: Uint8Array): Promise<Buffer> {
    const inflated = this.#inflating.then(() => inflate(body, this.#options.bodyBytesMax));
    // Only its end counts for the next one; who asked hears of its error.
    this.#inflating = inflated.catch(() => undefined);
    return inflated;
  }
}

function partialOf(rejectedCount: number, intake: Intake): PartialSuccess | undefined {
  if (rejectedCount > 0) {
    const message = `${rejectedCount} spans have no valid trace and span id, or are too long`;
    return { rejectedCount, message };
  }
  const message = intake.takeWarning();
  return message === undefined ? undefined : { rejectedCount: 0, message };
}

function contentEncodingOf({ headers }: IncomingMessage): 'gzip' | undefined {
  const value = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (value === 'gzip') return value;
  if (value === 'identity' || value === '') return undefined;
  throw badType(`Content-Encoding ${JSON.stringify(value.slice(0, 40))} is neither gzip nor identity`);
}

function badType(message: string): SidescopeError {
  return new SidescopeError('unsupported-media-type', message);
}

const rpcCodes: Readonly<Record<number, number>> = {
  400: RpcCode.invalidArgument,
  404: RpcCode.notFound,
  405: RpcCode.unimplemented,
  413: RpcCode.resourceExhausted,
  415: RpcCode.invalidArgument,
  503: RpcCode.unavailable,
};

/** In the request's own encoding; in JSON where that is not known. */
function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, error, encoding }: { status: number; error: unknown; encoding: OtlpEncoding | undefined },
): void {
  const message = isSidescopeError(error) ? error.message : 'a fault of Sidescope itself; its log has it';
  const violated = status === 400 ? 'body' : undefined;
  const code = rpcCodes[status] ?? RpcCode.internal;
  if (status === 405) response.setHeader('allow', 'POST');
  if (status === 503) response.setHeader('retry-after', retryAfter);
  const body = encodeStatus(encoding ?? 'json', { code, message, field: violated });
  if (request.complete || request.destroyed) {
    answer(response, { status, encoding, body });
    return;
  }
  response.writeHead(status, { ...headersOf(encoding, body), connection: 'close' });
  response.write(body);
  // Closed with bytes of the body unread, the connection would be reset, and the answer lost with it: they are thrown away for a moment.
  const end = setTimeout(() => response.end(), lingerMs);
  request.once('close', () => {
    clearTimeout(end);
    response.end();
  });
  request.on('error', () => undefined).resume();
}

const lingerMs = 500;

function answer(
  response: ServerResponse,
  { status, encoding, body }: { status: number; encoding: OtlpEncoding | undefined; body: Uint8Array },
): void {
  response.writeHead(status, headersOf(encoding, body));
  response.end(body);
}

function headersOf(encoding: OtlpEncoding | undefined, body: Uint8Array): Record<string, string | number> {
  return { 'content-type': contentTypes[encoding ?? 'json'], 'content-length': body.length };
}
