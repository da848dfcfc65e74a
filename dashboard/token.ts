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

  /** True when the address held one. Also called when only the fragment changes: a second link in the same tab. */
  takeFromAddress(): boolean {
    const fragment = new URLSearchParams(location.hash.slice(1));
    const given = fragment.get('token')?.trim() ?? '';
    if (given === '') return false;
    this.set(given);
    history.replaceState(null, '', `${location.pathname}${location.search}`);
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
