import http from 'node:http';
import https from 'node:https';

export interface GetRequest {
  readonly headers: Readonly<Record<string, string>>;
  /** PEM; instead of the public authorities. */
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * One GET on a connection of its own, as servers close idle ones earlier than the next reading comes. No redirect is followed; any status is an
 * answer. The caller reads the body, or destroys it.
 */
export function getOnce(url: URL, { headers, ca, signal }: GetRequest): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const options = { method: 'GET', agent: false as const, signal, headers };
  const request =
    url.protocol === 'https:' ? https.request(url, { ...options, ...(ca && { ca }) }) : http.request(url, options);
  request.on('response', resolve);
  request.on('error', reject);
  request.end();
  return promise;
}
