import { createAdminApp } from './app.ts';
import { openListener } from './listener.ts';
import type { Listener } from './listener.ts';
import type { AdminServices } from './services.ts';

export interface AddressOptions {
  readonly host: string;
  readonly port: number;
}

/** 64 event streams, and as many tabs, downloads and scripts as one person has at once. */
const maxConnections = 256;

/** The dashboard and the API. Bound to loopback by default: `kubectl port-forward` dials that inside the pod. */
export async function openAdminServer(services: AdminServices, address: AddressOptions): Promise<Listener> {
  await using opening = new AsyncDisposableStack();
  const admin = opening.use(createAdminApp(services));
  const listener = await openListener({
    name: 'admin',
    ...address,
    maxConnections,
    log: services.log,
    onDropped: () => services.metrics.httpConnectionsDroppedTotal.inc({ listener: 'admin' }),
    fetch: (request, bindings) => admin.app.fetch(request, bindings),
  });
  opening.move();
  const close: Listener['close'] = (options) => {
    // Event streams never end by themselves: first they, then the rest may take the grace.
    admin[Symbol.dispose]();
    return listener.close(options);
  };
  return { ...listener, close, [Symbol.asyncDispose]: () => close() };
}
