import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { scanForTargets } from './auto-targets.ts';
import { targetSource } from './target-source.ts';
import type { TargetSpec } from './target-source.ts';
import { TargetWatcher, type InspectorLifetime } from './target-watcher.ts';

export interface TargetsEvents {
  /** The whole view of a target, whenever any of it changed. */
  change: [Target];
  attached: [Target];
  detached: [Target, SidescopeError];
  'attempt-failed': [Target, SidescopeError];
}

export interface TargetsOptions {
  readonly random?: () => number;
  /** Of the inspectors that are opened by a signal. Default `always`. */
  readonly inspectorLifetime?: InspectorLifetime;
}

/** More at once hold too many sessions; of those found by themselves the first ones are watched. */
const maxTargets = 32;

/** Every target that the options name, and with `auto` those found since. Each is watched on its own and fails alone. */
export class Targets extends EventEmitter<TargetsEvents> implements AsyncDisposable {
  readonly #watchers = new Map<string, TargetWatcher>();
  readonly #isAuto: boolean;
  readonly #random: (() => number) | undefined;
  readonly #lifetime: InspectorLifetime;
  readonly #stopped = new AbortController();
  #scanning: Promise<void> = Promise.resolve();

  constructor(specs: readonly (TargetSpec | 'auto')[], options: TargetsOptions = {}) {
    super();
    this.#lifetime = options.inspectorLifetime ?? 'always';
    this.#isAuto = specs.includes('auto');
    this.#random = options.random;
    for (const spec of specs) if (spec !== 'auto') this.#add(spec);
  }

  start(): void {
    for (const watcher of this.#watchers.values()) watcher.start();
    if (this.#isAuto) this.#scanning = scanForTargets((spec) => this.#add(spec)?.start(), this.#stopped.signal);
  }

  list(): readonly Target[] {
    return [...this.#watchers.values()].map((watcher) => watcher.view);
  }

  /** Per target, how long inspectors that we opened in it have been open. */
  inspectorOpenMs(): readonly { readonly id: string; readonly openMs: number }[] {
    return [...this.#watchers.values()].map(({ id, inspectorOpenMs }) => ({ id, openMs: inspectorOpenMs }));
  }

  /** Per target, whether its inspector listened beyond loopback when it was attached last. */
  exposure(): readonly { readonly id: string; readonly isExposed: boolean }[] {
    return [...this.#watchers.values()].map(({ id, isExposed }) => ({ id, isExposed }));
  }

  /** Throws `unknown-target`. */
  view(id: string): Target {
    return this.watcher(id).view;
  }

  /** The one named, or the only one there is. Throws `unknown-target` or `target-required`. */
  watcher(id: string | undefined): TargetWatcher {
    const [first, ...others] = this.#watchers.values();
    if (id === undefined && first !== undefined && others.length === 0) return first;
    const known = [...this.#watchers.keys()].join(', ') || 'none found yet';
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
    this.#stopped.abort();
    await this.#scanning;
    await Promise.all([...this.#watchers.values()].map((watcher) => watcher[Symbol.asyncDispose]()));
  }

  /** Undefined when it is watched already, or when there is no room. */
  #add(spec: TargetSpec): TargetWatcher | undefined {
    const source = targetSource(spec);
    const isKnown = this.#watchers.has(source.id) || ('pid' in spec && this.#hasAttached(spec.pid));
    if (isKnown || this.#watchers.size >= maxTargets) return undefined;
    const watcher = new TargetWatcher(source, {
      ...(this.#random !== undefined && { random: this.#random }),
      lifetime: this.#lifetime,
      events: {
        onChange: (view) => this.emit('change', view),
        onAttached: (view) => this.emit('attached', view),
        onDetached: (view, reason) => this.emit('detached', view, reason),
        onAttemptFailed: (view, failure) => this.emit('attempt-failed', view, failure),
      },
    });
    this.#watchers.set(watcher.id, watcher);
    return watcher;
  }

  /** Found by its address before. */
  #hasAttached(pid: number): boolean {
    return this.list().some(({ state, identity }) => state.state === 'attached' && identity?.pid === pid);
  }
}
