import { lookup } from 'node:dns/promises';
import { get } from 'node:http';
import { z } from 'zod';
import { SidescopeError } from '../../protocol/error.ts';
import { formatAddress, type InspectorAddress } from './address.ts';

/** One inspector that answered: where to open the WebSocket, and what runs there by its own account. */
export interface DiscoveredInspector {
  readonly webSocketUrl: string;
  readonly title: string;
  readonly scriptUrl: string;
}

const listSchema = z
  .array(
    z.object({
      webSocketDebuggerUrl: z.string().optional(),
      title: z.string().default(''),
      url: z.string().default(''),
    }),
  )
  .max(64);

/** A real list is under 1 kB. */
const maxListBytes = 64 * 1024;

/**
 * Asks `/json/list`. The host name is resolved here and the address used as it is: Node's inspector refuses DNS names in the Host header,
 * and of the answer only the path is used, since it advertises a host that may not be reachable from here.
 * Rejects with `inspector-unreachable`, `inspector-timeout`, `inspector-http-error` or `inspector-bad-answer`.
 */
export async function discoverInspector(
  address: InspectorAddress,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<DiscoveredInspector> {
  const name = formatAddress(address);
  let failure: unknown;
  for (const resolved of await resolve(address)) {
    try {
      return readList(await fetchList(resolved, { name, ...options }), resolved);
    } catch (error) {
      failure ??= error;
      if (!(error instanceof SidescopeError) || error.code !== 'inspector-unreachable') throw error;
    }
  }
  throw failure;
}

async function resolve(address: InspectorAddress): Promise<InspectorAddress[]> {
  try {
    const found = await lookup(address.host, { all: true });
    return found.slice(0, 8).map(({ address: host }) => ({ host, port: address.port }));
  } catch (error) {
    throw new SidescopeError('inspector-unreachable', `host ${address.host} does not resolve`, { cause: error });
  }
}

async function fetchList(
  address: InspectorAddress,
  options: { name: string; timeoutMs: number; signal: AbortSignal },
): Promise<string> {
  const { name, timeoutMs, signal } = options;
  const deadline = AbortSignal.timeout(timeoutMs);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = get(
    {
      host: address.host,
      port: address.port,
      path: '/json/list',
      agent: false,
      signal: AbortSignal.any([signal, deadline]),
    },
    (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      if (response.statusCode !== 200) {
        reject(httpError(name, response.statusCode ?? 0));
        request.destroy();
        return;
      }
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes <= maxListBytes) return;
        reject(
          new SidescopeError('inspector-bad-answer', `${name} sent more than ${maxListBytes} bytes for /json/list`),
        );
        request.destroy();
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.on('error', onError);
    },
  );
  function onError(error: NodeJS.ErrnoException): void {
    if (signal.aborted) reject(signal.reason as Error);
    else if (deadline.aborted) {
      reject(new SidescopeError('inspector-timeout', `${name} did not answer /json/list in ${timeoutMs} ms`));
    } else if (error.code?.startsWith('HPE_') === true) {
      reject(
        new SidescopeError(
          'inspector-bad-answer',
          `${name} does not speak HTTP (${error.code}): another server has this port`,
          { cause: error },
        ),
      );
    } else {
      reject(new SidescopeError('inspector-unreachable', unreachable(name, error), { cause: error }));
    }
  }
  request.on('error', onError);
  return promise;
}

function unreachable(name: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ECONNREFUSED') return `nothing listens at ${name} (ECONNREFUSED)`;
  if (code === 'ECONNRESET')
    return `${name} ended the connection without an answer (ECONNRESET): an inspector speaks HTTP without TLS, so another server may have this port`;
  return `inspector at ${name}: ${code ?? message}`;
}

function httpError(name: string, status: number): SidescopeError {
  const why =
    status === 404
      ? 'started with --inspect-publish-uid=stderr, or another server has this port'
      : 'another server may have this port';
  return new SidescopeError('inspector-http-error', `${name} answered /json/list with HTTP ${status}: ${why}`);
}

function readList(body: string, address: InspectorAddress): DiscoveredInspector {
  const name = formatAddress(address);
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    const looksLike = body.trimStart().startsWith('<') ? 'HTML' : `${JSON.stringify(body.slice(0, 40))}`;
    throw new SidescopeError(
      'inspector-bad-answer',
      `${name} answered /json/list with ${looksLike} where JSON was expected`,
      { cause: error },
    );
  }
  const list = listSchema.safeParse(json);
  if (!list.success)
    throw new SidescopeError('inspector-bad-answer', `${name} answered /json/list with JSON of another shape`);
  const entry = list.data.find(({ webSocketDebuggerUrl }) => webSocketDebuggerUrl !== undefined);
  const path = /^wss?:\/\/[^/]+(\/[A-Za-z0-9_-]{1,100})$/.exec(entry?.webSocketDebuggerUrl ?? '')?.[1];
  if (entry === undefined || path === undefined) {
    throw new SidescopeError('inspector-bad-answer', `${name} lists no inspector that can be opened`);
  }
  return {
    webSocketUrl: `ws://${name}${path}`,
    title: entry.title.slice(0, 1000),
    scriptUrl: entry.url.slice(0, 1000),
  };
}
