import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { HttpBindings } from '@hono/node-server';
import { SidescopeError } from '../../protocol/error.ts';
import type { Log } from '../telemetry/log.ts';
import { setSecurityHeaders } from './headers.ts';
import { answerBrokenRequests } from './broken-request.ts';
import { problemResponse } from './problem.ts';

export interface ServerOptions {
  /** For messages and metrics: `admin`, `ops`, `otlp`. */
  readonly name: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly maxConnections: number;
  readonly log: Pick<Log, 'debug' | 'error'>;
  readonly onDropped: () => void;
  readonly timeouts?: Partial<Timeouts>;
  /** The handler itself answers `Expect: 100-continue`, with `writeContinue` or a refusal. */
  readonly expectsContinue?: boolean;
}

export interface Timeouts {
  readonly headersMs: number;
  /** From the first byte to the last of the body. */
  readonly requestMs: number;
  /** How often the two are looked at. */
  readonly checkMs: number;
  /** Between two requests of a connection. */
  readonly keepAliveMs: number;
}

export interface ListenerOptions extends ServerOptions {
  readonly fetch: (request: Request, bindings: HttpBindings) => Response | Promise<Response>;
}

export interface Listener extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:7777`, IPv6 in brackets. */
  readonly url: string;
  /** Takes no more connections, lets requests under way end for `graceMs`, then cuts them. May be called twice. */
  close(options?: { graceMs?: number }): Promise<void>;
}

/** A browser sends about 1 kB of headers; a download with a ticket has a 150-character URL. */
const maxHeaderBytes = 16 * 1024;
// Longer than the event stream's heartbeat and than the longest `wait=true`.
const idleSocketMs = 120_000;
const usualTimeouts: Timeouts = { headersMs: 10_000, requestMs: 30_000, checkMs: 5_000, keepAliveMs: 5_000 };

/** Rejects with `address-in-use`, or `invalid-option` when the address is not this machine's or not allowed. */
export function openListener(options: ListenerOptions): Promise<Listener> {
  const respond = getRequestListener((request, bindings) => options.fetch(request, bindings as HttpBindings), {
    // The agent's own fetch and tests keep the platform's Request and Response.
    overrideGlobalObjects: false,
    errorHandler: (error) => malformedAnswer(error, options),
  });
  return openServer(options, (request, response) => void respond(request, response));
}

/** The same without Hono, for a handler that takes bodies as they come. */
export async function openServer(options: ServerOptions, onRequest: RequestListener): Promise<Listener> {
  const timeouts = { ...usualTimeouts, ...options.timeouts };
  const server = createServer(
    {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: timeouts.headersMs,
      requestTimeout: timeouts.requestMs,
      connectionsCheckingInterval: timeouts.checkMs,
      keepAliveTimeout: timeouts.keepAliveMs,
      // Its 400 has no body: a request without Host gets the handlers' own.
      requireHostHeader: false,
    },
    onRequest,
  );
  answerBrokenRequests(server, options);
  if (options.expectsContinue === true) server.on('checkContinue', onRequest);
  server.maxHeadersCount = 100;
  server.maxConnections = options.maxConnections;
  server.timeout = idleSocketMs;
  server.on('drop', () => options.onDropped());

  await listen(server, options);
  // Later errors of the listening socket (out of descriptors) leave the ones that are open alone.
  server.on('error', (error) => options.log.error({ err: error, listener: options.name }, 'listener failed'));
  const { address, port, family } = server.address() as AddressInfo;
  const host = family === 'IPv6' ? `[${address}]` : address;
  let closing: Promise<void> | undefined;
  const close = ({ graceMs = 2_000 } = {}) => (closing ??= closeServer(server, graceMs));
  return { host: address, port, url: `http://${host}:${port}`, close, [Symbol.asyncDispose]: () => close() };
}

/** What the adapter itself refuses: no Host, a Host or target that is no URL. */
function malformedAnswer(error: unknown, { log, name }: ListenerOptions): Response {
  const message = error instanceof Error ? error.message : 'unknown';
  log.debug({ listener: name, reason: message }, 'malformed request');
  const response = problemResponse(
    new SidescopeError('invalid-request', 'the Host header or the request target is malformed'),
    'none',
  );
  setSecurityHeaders(response.headers);
  return response;
}

async function listen(server: Server, { name, host, port }: ServerOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: NodeJS.ErrnoException) => {
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const code = error.code === 'EADDRINUSE' ? 'address-in-use' : 'invalid-option';
    const facts = { listener: name, address, reason: error.code };
    reject(
      new SidescopeError(code, `the ${name} listener cannot use ${address}: ${error.code}`, {
        cause: error,
        details: facts,
      }),
    );
  };
  server.once('error', onError);
  server.listen({ host, port }, resolve);
  try {
    await promise;
  } finally {
    server.off('error', onError);
  }
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await promise;
  clearTimeout(cut);
}
