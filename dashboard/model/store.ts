import type { Change, PageState } from './page-state.ts';
import { emptyState, nextState } from './page-state.ts';

/** The one state of the page. `subscribe` answers with the function that ends the subscription. */
export class PageStore {
  #state = emptyState;
  readonly #listeners = new Set<() => void>();

  get state(): PageState {
    return this.#state;
  }

  apply(change: Change): void {
    const before = this.#state;
    this.#state = nextState(before, change);
    if (this.#state !== before) for (const listener of this.#listeners) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
