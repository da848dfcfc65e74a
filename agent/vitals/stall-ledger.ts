import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { StackFrame } from '../../protocol/inspector/readings.ts';
import { isEndedState, type Operation } from '../../protocol/rest/operation.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import type { Captures } from '../capture/captures.ts';
import type { ProfileWorker } from '../capture/profile-worker.ts';
import type { FrameOriginals } from '../source-maps/frame-originals.ts';
import type { ProfileStore } from '../store/store.ts';
import { compareWithProfile } from './profile-check.ts';
import type { RecordedFrames } from './stall-record.ts';
import { summaryOf } from './stall-words.ts';
import type { VitalsLog } from './target-vitals.ts';

/** Stalls that wait for the end of a CPU profile; more in one profile are not compared. */
const maxWaiting = 50;

/** What others know of the requests of a trace. */
export interface RequestRoutes {
  /** The route of its server span; undefined for a trace that was not seen. */
  routeOf(traceId: string): string | undefined;
}

export interface StallLedgerOptions {
  watcherOf(targetId: string): Pick<TargetWatcher, 'view'>;
  readonly captures: Pick<Captures, 'get'>;
  readonly store: ProfileStore | undefined;
  /** Without it frames stay as V8 has them. */
  readonly originals?: Pick<FrameOriginals, 'of'> | undefined;
  /** Without it no profile is asked. */
  readonly worker?: Pick<ProfileWorker, 'window'> | undefined;
  readonly requests?: RequestRoutes | undefined;
  readonly log: VitalsLog;
  /** Saves and tells; `isFinal` once per record, when it is over. */
  deliver(stall: Stall, options: { isFinal: boolean }): void;
}

interface Entry {
  /** The newest state that the watch told. */
  latest: Stall;
  work: Promise<void>;
}

/**
 * What becomes of stall records between the watch and the world: places of the source, the route of the request, and the comparison with a CPU profile that ran
 * meanwhile. The first state of a record is told at once, later ones when their places are known.
 */
export class StallLedger implements AsyncDisposable {
  readonly #options: StallLedgerOptions;
  readonly #stopped = new AbortController();
  readonly #entries = new Map<string, Entry>();
  readonly #waiting = new Map<string, { readonly stall: Stall; readonly dominant: StackFrame | null }>();
  readonly #checks = new Set<Promise<void>>();

  constructor(options: StallLedgerOptions) {
    this.#options = options;
  }

  put(stall: Stall, frames: RecordedFrames): void {
    const routed = this.#withRoute(stall);
    const known = this.#entries.get(stall.id);
    const isFirst = known === undefined;
    const entry = known ?? { latest: routed, work: Promise.resolve() };
    entry.latest = routed;
    this.#entries.set(stall.id, entry);
    const isFinal = stall.state !== 'ongoing';
    if (isFirst && !isFinal) this.#options.deliver(routed, { isFinal });
    entry.work = entry.work.then(async () => {
      const named = await this.#withOriginals(routed, frames);
      if (isFinal) this.#entries.delete(stall.id);
      else if (entry.latest !== routed || (isFirst && named === routed)) return;
      this.#options.deliver(named, { isFinal });
      if (isFinal) this.#awaitProfile(named, frames.dominant);
    });
  }

  /** To be called when an operation has ended. */
  onOperationEnded(operation: Operation): void {
    if (operation.kind !== 'cpu') return;
    for (const [id, { stall, dominant }] of this.#waiting) {
      if (stall.cpuOperationId !== operation.id) continue;
      this.#waiting.delete(id);
      this.#check(stall, dominant, operation);
    }
  }

  /** What is under way is told to its end, but no more profiles are read. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ work }) => work));
    this.#stopped.abort(new SidescopeError('shutting-down', 'the agent is stopping'));
    await Promise.all(this.#checks);
  }

  #withRoute(stall: Stall): Stall {
    const { span } = stall;
    if (span === null || span.route !== null) return stall;
    const route = this.#options.requests?.routeOf(span.traceId);
    return route === undefined ? stall : { ...stall, span: { ...span, route } };
  }

  async #withOriginals(stall: Stall, frames: RecordedFrames): Promise<Stall> {
    const { originals } = this.#options;
    if (originals === undefined) return stall;
    const asked = frames.dominant === null ? frames.tree : [...frames.tree, frames.dominant];
    const { frames: places } = await originals.of(this.#options.watcherOf(stall.targetId), asked);
    if (places.every((place) => place === null)) return stall;
    const tree = stall.tree.map((node, index) => ({ ...node, original: places[index] ?? null }));
    const dominant = stall.dominant && { ...stall.dominant, original: places[frames.tree.length] ?? null };
    return { ...stall, tree, dominant, summary: summaryOf({ ...stall, dominant }) };
  }

  #awaitProfile(stall: Stall, dominant: StackFrame | null): void {
    const { captures, store, worker } = this.#options;
    if (stall.cpuOperationId === null || store === undefined || worker === undefined) return;
    const operation = operationOf(captures, stall.cpuOperationId);
    if (operation === undefined) return;
    if (isEndedState(operation.state)) this.#check(stall, dominant, operation);
    else if (this.#waiting.size < maxWaiting) this.#waiting.set(stall.id, { stall, dominant });
  }

  #check(stall: Stall, dominant: StackFrame | null, operation: Operation): void {
    const { store, worker, log } = this.#options;
    if (store === undefined || worker === undefined || this.#stopped.signal.aborted) return;
    const check = compareWithProfile(stall, dominant, { operation, store, worker, signal: this.#stopped.signal })
      .then((compared) => compared && this.#options.deliver(compared, { isFinal: false }))
      .catch((error: unknown) => {
        if (!(error instanceof SidescopeError)) throw error;
        log.warn({ stall: stall.id, code: error.code }, `a stall was not compared with its profile: ${error.message}`);
      })
      .finally(() => void this.#checks.delete(check));
    this.#checks.add(check);
  }
}

function operationOf(captures: Pick<Captures, 'get'>, id: string): Operation | undefined {
  try {
    return captures.get(id);
  } catch (error) {
    // Long over, and gone from the table.
    if (isSidescopeError(error, 'unknown-operation')) return undefined;
    throw error;
  }
}
