import { isSidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Requests } from '../requests/requests.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AddressOptions } from './admin-server.ts';
import { openServer } from './listener.ts';
import type { Listener, Timeouts } from './listener.ts';

export interface OtlpServices {
  readonly requests: Pick<Requests, 'handle'>;
  readonly metrics: Pick<Metrics, 'httpConnectionsDroppedTotal'>;
  readonly log: Log;
  /** Shorter ones, for tests. */
  readonly timeouts?: Partial<Timeouts>;
}

export interface OtlpServer extends AsyncDisposable {
  readonly listeners: readonly Listener[];
  feature(): Feature;
  /** Lets requests under way end; may be called twice. */
  close(): Promise<void>;
}

/** An exporter has one connection for each signal; an application may be a cluster of many processes. */
const maxConnections = 512;
/**
 * Exporters send every 5 s at their default, and a connection that is closed at the moment of a request costs them a retry. A body takes its time only from far
 * away, which nobody is on loopback.
 */
const usualTimeouts: Partial<Timeouts> = { keepAliveMs: 65_000, requestMs: 20_000 };

/**
 * Listens where `--otlp-address` says, and at [::1] too when that is 127.0.0.1: `localhost` is either. Never rejects for a taken port. It is not taken up when it
 * becomes free either, unlike our other ports: the collector it belongs to may only be starting again. `isChosen`: a person named the address.
 */
export async function openOtlpServer(
  services: OtlpServices,
  { address, isChosen }: { address: AddressOptions | 'off'; isChosen: boolean },
): Promise<OtlpServer> {
  if (address === 'off') return closedServer('off', '--otlp-address is off');
  const opened: Listener[] = [];
  try {
    opened.push(await listen(services, address));
    const { host, port } = opened[0] ?? address;
    if (host === '127.0.0.1') opened.push(...(await listenAtIpv6(services, port)));
    services.log.info({ urls: opened.map(({ url }) => url) }, 'OTLP is received');
    return serverOf(opened);
  } catch (error) {
    for (const listener of opened) await listener.close();
    if (!isSidescopeError(error)) throw error;
    services.log.warn({ code: error.code, listener: 'otlp' }, error.message);
    // At the default address nobody asked for it: with a collector on the machine the agent is to start all the same.
    return closedServer(isChosen ? 'failed' : 'off', error.message);
  }
}

function listen({ requests, metrics, log, timeouts }: OtlpServices, address: AddressOptions): Promise<Listener> {
  return openServer(
    {
      name: 'otlp',
      ...address,
      maxConnections,
      log,
      onDropped: () => metrics.httpConnectionsDroppedTotal.inc({ listener: 'otlp' }),
      timeouts: { ...usualTimeouts, ...timeouts },
      expectsContinue: true,
    },
    (request, response) => void requests.handle(request, response),
  );
}

/** None where the machine has no IPv6. */
async function listenAtIpv6(services: OtlpServices, port: number): Promise<Listener[]> {
  try {
    return [await listen(services, { host: '::1', port })];
  } catch (error) {
    if (isSidescopeError(error, 'invalid-option')) return [];
    throw error;
  }
}

function serverOf(listeners: readonly Listener[]): OtlpServer {
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= Promise.all(listeners.map((listener) => listener.close())).then(() => undefined));
  const reason = listeners.map(({ url }) => url).join(', ');
  return {
    listeners,
    feature: () => ({ name: 'otlp', state: 'on', reason, remedy: null }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function closedServer(state: 'off' | 'failed', reason: string): OtlpServer {
  const remedy =
    'Set --otlp-address to a free address, such as 127.0.0.1:14318, and send the application there (OTEL_EXPORTER_OTLP_ENDPOINT); the agent passes everything on to --otlp-forward.';
  return {
    listeners: [],
    feature: () => ({ name: 'otlp', state, reason, remedy }),
    close: () => Promise.resolve(),
    async [Symbol.asyncDispose]() {},
  };
}
