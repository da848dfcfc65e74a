import type { ComponentType } from 'preact';
import type { Target } from '../../protocol/rest/target.ts';
import type { Address } from '../model/address.ts';
import type { PageState } from '../model/page-state.ts';

/** What the shell gives to each view. `navigation.ts` leads elsewhere and keeps choices in the link. */
export interface ViewProps {
  readonly state: PageState;
  /** The one that is chosen above the views; undefined while there is none at all. */
  readonly target: Target | undefined;
  /** `main`, or the id of a worker. */
  readonly thread: string;
  readonly address: Address;
  /** From the path: `/profile/:id` gives `id`. */
  readonly params: Readonly<Record<string, string>>;
}

export interface ViewModule {
  readonly View: ComponentType<ViewProps>;
}

export interface ViewEntry {
  /** `/profile/:id`: segments with a colon become `params`. */
  readonly path: string;
  readonly title: string;
  /** In the navigation; views without it are reached from others. */
  readonly inNav: boolean;
  /** `title` is marked as the place where one is. */
  readonly below?: string;
  /** Shows the choice of a thread above the view. */
  readonly hasThread?: boolean;
  /** "What am I looking at": two or three sentences. */
  readonly about: string;
  /** A chunk of its own, with its style sheet. */
  readonly load: () => Promise<ViewModule>;
}
