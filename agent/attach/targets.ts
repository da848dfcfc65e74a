import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { InspectorAddress } from './address.ts';
import { TargetWatcher } from './target-watcher.ts';

export interface TargetsEvents {
  /** The whole view of a target, whenever any of it changed. */
  change: [Target];
  attached: [Target];
  detached: [Target, SidescopeError];
  'attempt-failed': [Target, SidescopeError];
}

/** Every target that the options name. Each is watched on its own and fails alone. */
export class Targets extends EventEmitter<TargetsEvents> implements AsyncDisposable {
  readonly #watchers: ReadonlyMap<string, TargetWatcher>;

  constructor(addresses: readonly InspectorAddress[], options: { random?: () => number } = {}) {
    super();
    const watchers = addresses.map(
      (address) =>
        new TargetWatcher(address, {
          ...options,
          events: {
            onChange: (view) => this.emit('change', view),
            onAttached: (view) => this.emit('attached', view),
            onDetached: (view, reason) => this.emit('detached', view, reason),
            onAttemptFailed: (view, failure) => this.emit('attempt-failed', view, failure),
          },
        }),
    );
    this.#watchers = new Map(watchers.map((watcher) => [watcher.id, watcher]));
  }

  start(): void {
    for (const watcher of this.#watchers.values()) watcher.start();
  }

  list(): readonly Target[] {
    return [...this.#watchers.values()].map((watcher) => watcher.view);
  }

  /** Throws `unknown-target`. */
  view(id: string): Target {
    return this.watcher(id).view;
  }

  /** The one named, or the only one there is. Throws `unknown-target` or `target-required`. */
  watcher(id: string | undefined): TargetWatcher {
    const [first, ...others] = this.#watchers.values();
    if (id === undefined && first !== undefined && others.length === 0) return first;
    const known = [...this.#watchers.keys()].join(', ');
    if (id === undefined)
      throw new SidescopeError(
        'target-required',
        `there are ${this.#watchers.size} targets: add target=, one of ${known}`,
      );
    const found = this.#watchers.get(id);
    if (found === undefined)
      throw new SidescopeError(
        'unknown-target',
        `there is no target ${JSON.stringify(id.slice(0, 100))}; there are: ${known}`,
      );
    return found;
  }

  /** Leaves every target clean, all at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#watchers.values()].map((watcher) => watcher[Symbol.asyncDispose]()));
  }
}
