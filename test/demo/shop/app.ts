import type { ErrorRequestHandler, Express, Request } from 'express';
import type { Pool } from 'pg';
import { isProperReference, signInvoice } from './invoices.ts';
import { createMetrics } from './metrics.ts';
import { express } from './packages.ts';
import { listProducts, searchProducts } from './products.ts';
import type { Product } from './products.ts';
import { renderReport } from './report.ts';
import { rememberSession } from './sessions.ts';

/** One route per way to be slow: none, CPU, database, leak, blocked event loop. */
export function createApp(pool: Pool, catalog: readonly Product[]): Express {
  const app = express();
  const { registry, observeRequests } = createMetrics();
  app.disable('x-powered-by');
  app.use(observeRequests);
  app.use(express.json({ limit: '10kb' }));

  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }));

  app.get('/metrics', async (_request, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  });

  app.get('/products', async (request, response) => {
    response.json(await listProducts(pool, numberIn(request, { name: 'after', max: 1e6, missing: 0 })));
  });

  app.get('/products/:id/report', (request, response) => {
    const product = catalog.find(({ id }) => id === Number(request.params.id));
    if (product === undefined) response.status(404).json({ error: `no product ${request.params.id}` });
    else response.type('text/plain').send(renderReport(product, catalog));
  });

  app.get('/search', async (request, response) => {
    response.json(await searchProducts(pool, textIn(request, 'q').slice(0, 50)));
  });

  app.post('/sessions', (request, response) => {
    const { id, startedAt } = rememberSession(request.get('user-agent') ?? 'unknown');
    response.status(201).json({ id, startedAt });
  });

  app.get('/invoices/:id', (request, response) => {
    // 30 characters keep the regular expression for seconds, not for hours.
    const reference = textIn(request, 'reference').slice(0, 30);
    const seal = signInvoice(request.params.id, numberIn(request, { name: 'ms', max: 60_000, missing: 100 }));
    response.json({ id: request.params.id, seal, hasProperReference: isProperReference(reference) });
  });

  app.use(answerError);
  return app;
}

// eslint-disable-next-line max-params -- Express tells an error handler by its four parameters.
const answerError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) next(error);
  else response.status(500).json({ error: error instanceof Error ? error.message : String(error) });
};

function textIn(request: Request, name: string): string {
  const value = request.query[name];
  return typeof value === 'string' ? value : '';
}

function numberIn(request: Request, { name, max, missing }: { name: string; max: number; missing: number }): number {
  const text = textIn(request, name);
  const value = text === '' ? missing : Number(text);
  return Number.isFinite(value) ? Math.min(Math.max(value, 0), max) : missing;
}
