import { readAddress, withQuery, writeAddress } from './model/address.ts';

const storageKey = 'sidescope-token';

/**
 * The credential of this tab. A link with `#token=...` puts it into session storage and leaves the address at once, so that it is
 * in no history entry, bookmark or screenshot. Session storage ends with the tab and is not sent with any request.
 */
export class TokenKeeper {
  #token: string | null;

  constructor() {
    this.#token = sessionStorage.getItem(storageKey);
    this.takeFromAddress();
  }

  /**
   * True when the address held one: `#token=…`, or `#/captures?token=…` for a view. Also called when only the fragment changes: a second
   * link in the same tab.
   */
  takeFromAddress(): boolean {
    const view = readAddress(location.hash);
    const given = view?.query['token'] ?? new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
    if (given.trim() === '') return false;
    this.set(given.trim());
    const rest = view === undefined ? '' : writeAddress(withQuery(view, { token: null }));
    history.replaceState(null, '', `${location.pathname}${location.search}${rest}`);
    return true;
  }

  get token(): string | null {
    return this.#token;
  }

  set(token: string): void {
    this.#token = token;
    sessionStorage.setItem(storageKey, token);
  }

  clear(): void {
    this.#token = null;
    sessionStorage.removeItem(storageKey);
  }
}
