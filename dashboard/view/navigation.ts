import { useEffect, useState } from 'preact/hooks';
import { elsewhere, readAddress, withQuery, writeAddress, type Address, type QueryPatch } from '../model/address.ts';

const start: Address = { path: '/', query: {} };
let last = start;

/** Where the page is. A fragment that is no address leaves it where it was. */
export function currentAddress(): Address {
  last = readAddress(location.hash) ?? last;
  return last;
}

/** A link to another view, for the same target and thread: `hrefTo('/profile/' + encodeURIComponent(id))`. */
export function hrefTo(path: string, patch?: QueryPatch): string {
  return writeAddress(elsewhere(currentAddress(), path, patch));
}

/** As a click on `hrefTo`: a new entry of the browser's history. */
export function goTo(path: string, patch?: QueryPatch): void {
  location.hash = hrefTo(path, patch);
}

/** Keeps a choice of the view in its link, without a new entry in the history. `null` removes it. */
export function setQuery(patch: QueryPatch): void {
  history.replaceState(
    null,
    '',
    `${location.pathname}${location.search}${writeAddress(withQuery(currentAddress(), patch))}`,
  );
  dispatchEvent(new HashChangeEvent('hashchange'));
}

export function useAddress(): Address {
  const [address, setAddress] = useState(currentAddress);
  useEffect(() => {
    const onChange = (): void => setAddress(currentAddress());
    addEventListener('hashchange', onChange);
    onChange();
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return address;
}
