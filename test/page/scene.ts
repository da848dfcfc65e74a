import type { Page } from 'playwright-core';
import type { SidescopeEvent } from '../../protocol/rest/event.ts';
import type { World } from './stand-in.ts';

/** A view with something in it, as a picture or a test wants it. */
export interface Scene {
  readonly name: string;
  readonly path: string;
  readonly world: Partial<World>;
  readonly events?: readonly SidescopeEvent[];
  readonly ready: (page: Page) => Promise<void>;
}
