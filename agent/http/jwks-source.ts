import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { getOnce } from '../baseline/get-once.ts';
import { formatJwksPlace } from '../options/jwt-values.ts';
import type { JwksPlace } from '../options/jwt-values.ts';
import { fileVersion, readRegularFile } from '../regular-file.ts';

export interface JwksCredentials {
  /** PEM; the authorities that the address is trusted by, instead of the public ones. Read again for each reading. */
  readonly caFile: string | undefined;
  /** With a bearer token that the address wants, as Kubernetes' own does. Read again for each reading. */
  readonly tokenFile: string | undefined;
}

const bodyBytesMax = 256 * 1024;
const fileBytesMax = 1024 * 1024;

/** Changes whenever the file does; an address has none, nor has what is no regular file: it must be read. Rejects as `readKeySet` does. */
export async function versionOfPlace(place: JwksPlace): Promise<string | undefined> {
  if ('url' in place) return undefined;
  try {
    return await fileVersion(place.path);
  } catch (error) {
    throw unavailable(error);
  }
}

export interface KeySetReading {
  readonly credentials: JwksCredentials;
  /** For an address, from the request to the last byte. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * The text of the key set: 256 KiB at most. Redirects are not followed: whoever could send one would choose the keys.
 * Rejects with `jwt-keys-unavailable` and a sentence that names the place and holds nothing of what it gave.
 */
export async function readKeySet(place: JwksPlace, { credentials, timeoutMs, signal }: KeySetReading): Promise<string> {
  if ('path' in place) return await readBounded(place.path, bodyBytesMax);
  const { caFile, tokenFile } = credentials;
  const ca = caFile === undefined ? undefined : await readBounded(caFile, fileBytesMax);
  const token = tokenFile === undefined ? undefined : bearer(await readBounded(tokenFile, fileBytesMax), tokenFile);
  const name = formatJwksPlace(place);
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const joined = AbortSignal.any([signal, timeout]);
    return await fetchText({ url: place.url, name, ca, token }, joined);
  } catch (error) {
    if (error instanceof SidescopeError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why = timeout.aborted ? `did not answer in ${timeoutMs} ms` : `cannot be read (${code ?? 'broken answer'})`;
    throw new SidescopeError('jwt-keys-unavailable', `${name} ${why}`, { cause: error });
  }
}

interface Fetching {
  readonly url: URL;
  readonly name: string;
  readonly ca: string | undefined;
  readonly token: string | undefined;
}

async function fetchText({ url, name, ca, token }: Fetching, signal: AbortSignal): Promise<string> {
  const headers = {
    accept: 'application/jwk-set+json, application/json',
    'accept-encoding': 'identity',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  const response = await getOnce(url, { headers, ca, signal });
  using _ = { [Symbol.dispose]: () => void response.destroy() };
  if (response.statusCode !== 200) {
    const isRefusal = response.statusCode === 401 || response.statusCode === 403;
    const hint = isRefusal ? '; a server that wants a token has --jwks-token-file' : '';
    throw new SidescopeError('jwt-keys-unavailable', `${name} answered HTTP ${response.statusCode}${hint}`);
  }
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response) {
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > bodyBytesMax)
      throw new SidescopeError('jwt-keys-unavailable', `${name} has more than ${bodyBytesMax} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function bearer(text: string, path: string): string {
  const token = text.trim();
  // Node's error for such a header would quote it.
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new SidescopeError('jwt-keys-unavailable', `the token in ${path} is empty, or not one word`);
}

async function readBounded(path: string, maxBytes: number): Promise<string> {
  try {
    return await readRegularFile(path, { maxBytes });
  } catch (error) {
    throw unavailable(error);
  }
}

function unavailable(error: unknown): unknown {
  if (!isSidescopeError(error, 'unusable-file')) return error;
  return new SidescopeError('jwt-keys-unavailable', error.message, { cause: error });
}
