import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { AutoRoster, goneKeptMs } from './auto-roster.ts';
import { scanForTargets, type AutoTarget } from './auto-targets.ts';
import { targetSource } from './target-source.ts';
import type { TargetSpec } from './target-source.ts';
import { TargetWatcher, type InspectorLifetime } from './target-watcher.ts';

export interface TargetsEvents {
  /** The whole view of a target, whenever any of it changed. */
  change: [Target];
  attached: [Target];
  detached: [Target, SidescopeError];
  'attempt-failed': [Target, SidescopeError];
  /** Its id is known no longer: one of `auto` that has ended a while ago. */
  forgotten: [string];
}

export interface TargetsOptions {
  readonly random?: () => number;
  /** Of the inspectors that are opened by a signal. Default `always`. */
  readonly inspectorLifetime?: InspectorLifetime;
  /** Only tests have their own. */
  readonly scan?: typeof scanForTargets;
}

/** More at once hold too many sessions; of those found by themselves the first ones are watched, and counted the others. */
export const maxTargets = 32;

/** Every target that the options name, and with `auto` those that are there. Each is watched on its own and fails alone. */
export class Targets extends EventEmitter<TargetsEvents> implements AsyncDisposable {
  readonly #watchers = new Map<string, TargetWatcher>();
  /** Of `auto`, ended: no longer watched, for a while still to be asked for. */
  readonly #gone = new Map<string, TargetWatcher>();
  readonly #roster = new AutoRoster();
  /** By the options: they stay, whatever comes of them. */
  readonly #named: ReadonlySet<string>;
  readonly #isAuto: boolean;
  readonly #options: TargetsOptions;
  readonly #stopped = new AbortController();
  readonly #leaving = new Set<Promise<void>>();
  #omitted = 0;
  #scanning: Promise<void> = Promise.resolve();

  constructor(specs: readonly (TargetSpec | 'auto')[], options: TargetsOptions = {}) {
    super();
    this.#options = options;
    this.#isAuto = specs.includes('auto');
    for (const spec of specs) if (spec !== 'auto') this.#add(spec);
    this.#named = new Set(this.#watchers.keys());
  }

  start(): void {
    for (const watcher of this.#watchers.values()) watcher.start();
    const { scan = scanForTargets } = this.#options;
    if (this.#isAuto) this.#scanning = scan((found) => this.#onRound(found), this.#stopped.signal);
  }

  /** Those that are watched. */
  list(): readonly Target[] {
    return [...this.#watchers.values()].map((watcher) => watcher.view);
  }

  /** Found by `auto` and ended: their ids are known for half an hour. The newest first. */
  gone(): readonly Target[] {
    return [...this.#gone.values()].toReversed().map((watcher) => watcher.view);
  }

  /** How many processes `auto` found at its last look that are not watched: there is room for 32 targets. */
  get omitted(): number {
    return this.#omitted;
  }

  /** Per target, how long inspectors that we opened in it have been open. */
  inspectorOpenMs(): readonly { readonly id: string; readonly openMs: number }[] {
    return this.#known().map(({ id, inspectorOpenMs }) => ({ id, openMs: inspectorOpenMs }));
  }

  /** Per target, whether its inspector listened beyond loopback when it was attached last. */
  exposure(): readonly { readonly id: string; readonly isExposed: boolean }[] {
    return this.#known().map(({ id, isExposed }) => ({ id, isExposed }));
  }

  /** Throws `unknown-target`. */
  view(id: string): Target {
    return this.watcher(id).view;
  }

  /** The one named, or the only one that is watched. Throws `unknown-target` or `target-required`. */
  watcher(id: string | undefined): TargetWatcher {
    const [first, ...others] = this.#watchers.values();
    if (id === undefined && first !== undefined && others.length === 0) return first;
    const known = [...this.#watchers.keys()].join(', ') || 'none found yet';
    if (id === undefined)
      throw new SidescopeError(
        'target-required',
        `there are ${this.#watchers.size} targets: add target=, one of ${known}`,
      );
    const found = this.#watchers.get(id) ?? this.#gone.get(id);
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
    await Promise.all(this.#leaving);
  }

  #known(): TargetWatcher[] {
    return [...this.#watchers.values(), ...this.#gone.values()];
  }

  #onRound(found: readonly AutoTarget[]): void {
    const { add, leave, forget, omitted } = this.#roster.next({
      found,
      nowMs: performance.now(),
      room: maxTargets - this.#named.size,
      isKnown: (spec) => this.#named.has(targetSource(spec).id) || ('pid' in spec && this.#hasAttached(spec.pid)),
      isLost: (id) => ['connecting', 'detached'].includes(this.#watchers.get(id)?.view.state.state ?? 'detached'),
    });
    for (const id of leave) this.#leave(id);
    for (const id of forget) {
      // Whoever lets go of it may still ask who it was.
      this.emit('forgotten', id);
      this.#gone.delete(id);
    }
    for (const spec of add) this.#add(spec)?.start();
    this.#omitted = omitted;
  }

  #leave(id: string): void {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined) return;
    this.#watchers.delete(id);
    this.#gone.set(id, watcher);
    const kept = `its id is known for ${goneKeptMs / 60_000} minutes more`;
    const leaving = watcher.stop(new SidescopeError('target-gone', `${watcher.view.address} has ended; ${kept}`));
    this.#leaving.add(leaving);
    void leaving.finally(() => this.#leaving.delete(leaving));
  }

  /** Undefined when it is watched already. */
  #add(spec: TargetSpec): TargetWatcher | undefined {
    const source = targetSource(spec);
    if (this.#watchers.has(source.id) || this.#watchers.size >= maxTargets) return undefined;
    const { random, inspectorLifetime: lifetime = 'always' } = this.#options;
    // Another process may have its id by the time it has let go.
    const isKnown = (): boolean => this.#watchers.get(source.id) === watcher || this.#gone.get(source.id) === watcher;
    const watcher: TargetWatcher = new TargetWatcher(source, {
      ...(random !== undefined && { random }),
      lifetime,
      events: {
        onChange: (view) => isKnown() && this.emit('change', view),
        onAttached: (view) => this.emit('attached', view),
        onDetached: (view, reason) => this.emit('detached', view, reason),
        onAttemptFailed: (view, failure) => this.emit('attempt-failed', view, failure),
      },
    });
    this.#watchers.set(watcher.id, watcher);
    return watcher;
  }

  /** By another name: found by its address before. */
  #hasAttached(pid: number): boolean {
    return this.list().some(
      ({ id, state, identity }) => id !== `pid-${pid}` && state.state === 'attached' && identity?.pid === pid,
    );
  }
}
