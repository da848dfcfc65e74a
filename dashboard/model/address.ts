/** Where one is inside the page: `#/profile/p-1?target=t1` is path `/profile/p-1` and query `{target: 't1'}`. */
export interface Address {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

/** `null` removes a value; what is not named stays. */
export type QueryPatch = Readonly<Record<string, string | null | undefined>>;

/** Longer ones are no link of ours. */
const maxAddressChars = 8_000;
/** What is chosen above every view goes along from one to the next. */
const lasting = ['target', 'thread'] as const;

/** Undefined for a fragment that is no address, such as the anchor of a section; the empty one is the first view. */
export function readAddress(fragment: string): Address | undefined {
  const text = fragment.replace(/^#/, '');
  if (text === '') return { path: '/', query: {} };
  if (!text.startsWith('/') || text.length > maxAddressChars) return undefined;
  const at = text.indexOf('?');
  const path = (at < 0 ? text : text.slice(0, at)).replace(/(?<=.)\/+$/, '');
  return { path, query: at < 0 ? {} : Object.fromEntries(new URLSearchParams(text.slice(at + 1))) };
}

export function writeAddress({ path, query }: Address): string {
  const search = new URLSearchParams(query).toString();
  return `#${path}${search === '' ? '' : `?${search}`}`;
}

/** The same place with other values in its query. */
export function withQuery(address: Address, patch: QueryPatch): Address {
  const query = Object.entries({ ...address.query, ...patch }).filter(
    (entry): entry is [string, string] => entry[1] !== null && entry[1] !== undefined && entry[1] !== '',
  );
  return { path: address.path, query: Object.fromEntries(query) };
}

/** Another place, for the same target and thread. */
export function elsewhere(from: Address, path: string, patch: QueryPatch = {}): Address {
  const kept = Object.fromEntries(lasting.map((name) => [name, from.query[name] ?? null]));
  return withQuery({ path, query: {} }, { ...kept, ...patch });
}

export interface Found<View> {
  readonly view: View;
  /** By the names in its path, decoded: `/profile/:id` gives `id`. */
  readonly params: Readonly<Record<string, string>>;
}

/** The first view whose path fits, segment by segment. */
export function findView<View extends { readonly path: string }>(
  views: readonly View[],
  path: string,
): Found<View> | undefined {
  for (const view of views) {
    const params = matchPath(view.path, path);
    if (params !== undefined) return { view, params };
  }
  return undefined;
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? '';
    if (!segment.startsWith(':')) {
      if (segment !== value) return undefined;
      continue;
    }
    const decoded = decode(value);
    if (decoded === undefined || decoded === '') return undefined;
    params[segment.slice(1)] = decoded;
  }
  return params;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A link cut in the middle of an escape names nothing.
    return undefined;
  }
}
