// The demo's backend: `DATABASE_ADDRESS=host:port node test/demo/shop/main.ts`, PORT for a fixed port.
import { once } from 'node:events';
import inspector from 'node:inspector';
import type { AddressInfo } from 'node:net';
import { startTelemetry } from './telemetry.ts';
import { startThumbnailWorker } from './thumbnails.ts';

const telemetry = startTelemetry(process.env);
// After the instrumentation: it patches what is loaded from here on.
const { pg } = await import('./packages.ts');
const { createApp } = await import('./app.ts');
const { loadCatalog } = await import('./products.ts');

const [host, port] = (process.env['DATABASE_ADDRESS'] ?? '127.0.0.1:5432').split(':');
const pool = new pg.Pool({ host, port: Number(port), user: 'postgres', database: 'postgres', max: 1 });
// An idle connection that breaks is replaced by the next query.
pool.on('error', (error) => console.error(`shop: database connection lost: ${error.message}`));
const thumbnails = startThumbnailWorker();
const server = createApp(pool, await loadCatalog(pool)).listen(Number(process.env['PORT'] ?? 0), '127.0.0.1');
await once(server, 'listening');

process.once('SIGTERM', () => void stop());
process.send?.({
  ready: { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, inspectorUrl: inspector.url() },
});

/** Finishes the requests under way, then lets go of everything, so that the process ends by itself. */
async function stop(): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  await closed;
  thumbnails.postMessage('end');
  await pool.end();
  await telemetry.shutdown();
}
