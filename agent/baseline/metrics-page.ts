import type http from 'node:http';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { readRegularFile } from '../regular-file.ts';
import { getOnce } from './get-once.ts';

export interface PageSource {
  readonly url: URL;
  /** With a bearer token, read again for each request. */
  readonly tokenFile: string | undefined;
  /** PEM; instead of the system's authorities. Read again for each request. */
  readonly caFile: string | undefined;
}

export interface PageRequest {
  readonly headers: Readonly<Record<string, string>>;
  /** Our own credentials, of the token file or the address. False where somebody else asks: that one brings its own. */
  readonly withCredentials: boolean;
  /** From the request to the last byte. */
  readonly timeoutMs: number;
  /** Of as many ms, begun with the request. */
  readonly timeout: AbortSignal;
  readonly signal: AbortSignal;
}

const redirectsMax = 3;
/** A bundle of all public authorities has a quarter of it. */
const fileBytesMax = 1024 * 1024;

/**
 * Asks for the page; the caller reads the body, or destroys it. Redirects are followed on the same origin only. A connection of its own, as
 * servers close idle ones earlier than the next reading comes. Rejects with `metrics-unreachable`, `metrics-timeout`, `metrics-http-error`.
 */
export async function requestPage(source: PageSource, request: PageRequest): Promise<http.IncomingMessage> {
  const headers = { ...(await credentials(source, request)), ...request.headers };
  const ca = source.caFile === undefined ? undefined : await readFileOf(source.caFile, 'the authorities');
  const signal = AbortSignal.any([request.signal, request.timeout]);
  let url = bare(source.url);
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const response = await getOnce(url, { headers, ca, signal }).catch((error: unknown) => {
      throw pageFailure(error, { source, request });
    });
    const { statusCode = 0, headers: answered } = response;
    const { location } = answered;
    if (statusCode < 300 || statusCode >= 400 || statusCode === 304 || location === undefined) return response;
    response.destroy();
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (next === undefined || next.origin !== url.origin)
      throw new SidescopeError(
        'metrics-http-error',
        `${pageName(source)} leads to another server (HTTP ${statusCode})`,
      );
    url = bare(next);
  }
  throw new SidescopeError('metrics-http-error', `${pageName(source)} leads on more than ${redirectsMax} times`);
}

/** Without credentials and query, which may hold a secret. */
export function pageName({ url }: PageSource): string {
  return `${url.origin}${url.pathname}`;
}

/** What broke a request or its body, as one of the errors above. */
export function pageFailure(error: unknown, about: { source: PageSource; request: PageRequest }): SidescopeError {
  if (isSidescopeError(error)) return error;
  const { source, request } = about;
  const name = pageName(source);
  const { code, message } = error as NodeJS.ErrnoException;
  if (request.signal.aborted)
    return new SidescopeError('metrics-unreachable', `${name} was given up`, { cause: error });
  // A body that is cut off by us breaks as if the server had done it.
  if (request.timeout.aborted || code === 'ETIMEDOUT')
    return new SidescopeError('metrics-timeout', `${name} was not read in ${request.timeoutMs} ms`, { cause: error });
  if (code === undefined) return new SidescopeError('internal', `reading ${name} failed: ${message}`, { cause: error });
  return new SidescopeError('metrics-unreachable', `${name}: ${code}`, { cause: error });
}

async function credentials(source: PageSource, { withCredentials }: PageRequest): Promise<Record<string, string>> {
  const { url, tokenFile } = source;
  if (!withCredentials) return {};
  if (tokenFile !== undefined) {
    const token = (await readFileOf(tokenFile, 'the token')).trim();
    // Node's error for such a header would quote it.
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new SidescopeError('metrics-unreachable', `the token in ${tokenFile} is empty, or not one word`);
    return { authorization: `Bearer ${token}` };
  }
  if (url.username === '' && url.password === '') return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

async function readFileOf(path: string, what: string): Promise<string> {
  try {
    return await readRegularFile(path, { maxBytes: fileBytesMax });
  } catch (error) {
    if (!isSidescopeError(error, 'unusable-file')) throw error;
    throw new SidescopeError('metrics-unreachable', `${what} for the metrics page: ${error.message}`, { cause: error });
  }
}

function bare(url: URL): URL {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  return copy;
}
