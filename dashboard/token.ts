const storageKey = 'sidescope-token';

/**
 * The credential of this tab. A link with `#token=...` puts it into session storage and leaves the address at once, so that it is
 * in no history entry, bookmark or screenshot. Session storage ends with the tab and is not sent with any request.
 */
export class TokenKeeper {
  #token: string | null;

  constructor() {
    const fragment = new URLSearchParams(location.hash.slice(1));
    const given = fragment.get('token')?.trim();
    if (given) {
      sessionStorage.setItem(storageKey, given);
      fragment.delete('token');
      const rest = fragment.toString();
      history.replaceState(null, '', `${location.pathname}${location.search}${rest === '' ? '' : `#${rest}`}`);
    }
    this.#token = sessionStorage.getItem(storageKey);
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
