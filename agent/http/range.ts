export interface ByteRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/**
 * One `bytes=` range (RFC 9110, section 14.2). `undefined`: send the whole, because there is none, it is malformed, of
 * another unit, or several (nobody needs those, and the multipart answer costs more than it saves).
 */
export function parseRange(header: string | null, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const suffixBytes = Number(last);
    if (suffixBytes === 0 || sizeBytes === 0) return 'unsatisfiable';
    return { start: Math.max(0, sizeBytes - suffixBytes), end: sizeBytes };
  }
  const start = Number(first);
  const end = last === '' ? sizeBytes : Number(last) + 1;
  if (end <= start && last !== '') return undefined;
  if (start >= sizeBytes) return 'unsatisfiable';
  return { start, end: Math.min(end, sizeBytes) };
}

/** Whether an `If-Range` lets the range stand: only a strong tag that is the same. A date never does: none is sent. */
export function allowsRange(ifRange: string | null, etag: string): boolean {
  return ifRange === null || ifRange.trim() === etag;
}

/** `If-None-Match`: weak comparison, a list, or `*`. */
export function isNoneMatch(header: string | null, etag: string): boolean {
  if (header === null) return true;
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return !tags.includes('*') && !tags.includes(etag);
}

/** Whether `Accept-Encoding` takes gzip, by name or by `*`, with a weight that is not 0. */
export function acceptsGzip(header: string | null): boolean {
  const codings = (header ?? '').toLowerCase().split(',').map(parseCoding);
  const named =
    codings.find(({ name }) => name === 'gzip' || name === 'x-gzip') ?? codings.find(({ name }) => name === '*');
  return named !== undefined && named.weight > 0;
}

function parseCoding(text: string): { name: string; weight: number } {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  return { name, weight: weight === undefined ? 1 : Number(weight.slice(2)) };
}
