import { SidescopeError } from '../../protocol/error.ts';

export interface GuardedRequest {
  readonly method: string;
  readonly url: URL;
  /** Present on every HTTP/1.1 request; missing only where the URL alone names the host. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly fetchMode: string | undefined;
  readonly fetchDestination: string | undefined;
}

/**
 * Refuses what a web page of somebody else can make a browser send: a name that was pointed at this machine
 * (`forbidden-host`) and requests of another origin (`forbidden-origin`). Before credentials, on every request.
 */
export function guardRequest(request: GuardedRequest, allowedHosts: readonly string[]): void {
  const authority = request.host ?? request.url.host;
  for (const candidate of [authority, request.url.host])
    if (!isAllowedHost(candidate, allowedHosts))
      throw new SidescopeError('forbidden-host', `the Host "${candidate.slice(0, 100)}" is not allowed`);

  const { origin, fetchSite } = request;
  if (origin !== undefined && origin !== `http://${authority}` && origin !== `https://${authority}`)
    throw new SidescopeError('forbidden-origin', `the Origin "${origin.slice(0, 100)}" is not this server's`);
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none' && !isLinkToThePage(request))
    throw new SidescopeError('forbidden-origin', `Sec-Fetch-Site is "${fetchSite.slice(0, 100)}"`);
}

/** Name or literal without the port, compared exactly; any port, because a port-forward may use another one. */
export function isAllowedHost(authority: string, allowedHosts: readonly string[]): boolean {
  const name = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/.exec(authority.toLowerCase())?.[1];
  return name !== undefined && (loopback.has(name) || allowedHosts.some((allowed) => allowed.toLowerCase() === name));
}

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Following a link from a chat or an alert to the page: a whole new document, static files, no data. */
function isLinkToThePage({ method, url, fetchMode, fetchDestination }: GuardedRequest): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    fetchMode === 'navigate' &&
    fetchDestination === 'document' &&
    /^\/(?:api\/v1\/profiling\/ui(?:\/.*)?)?$/.test(url.pathname)
  );
}
