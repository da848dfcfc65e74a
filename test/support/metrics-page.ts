import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface MetricsPageServer extends AsyncDisposable {
  readonly url: string;
  /** What was asked, in order. */
  readonly requests: readonly IncomingMessage[];
  /** From the next request on. */
  answer: RequestListener;
}

/** A real server on a free port, in place of an application's metrics page. */
export async function openMetricsPage(answer: RequestListener | string): Promise<MetricsPageServer> {
  const requests: IncomingMessage[] = [];
  const page = { answer: typeof answer === 'string' ? text(answer) : answer };
  const server = createServer((request, response) => {
    requests.push(request);
    page.answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(page, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** Answers this page, as Prometheus text unless it is said to be something else. */
export function text(page: string, contentType = 'text/plain; version=0.0.4; charset=utf-8'): RequestListener {
  return (_request: IncomingMessage, response: ServerResponse) => {
    response.setHeader('content-type', contentType);
    response.end(page);
  };
}
