import { SidescopeError } from '../../protocol/error.ts';
import type { StackFrame } from '../../protocol/inspector/readings.ts';
import { keyOfPlace, scriptPathOf, type PlaceRow, type RawPlace } from '../../protocol/source-map/original.ts';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import type { ProfileWorker } from '../capture/profile-worker.ts';
import { sourceMapContext } from './context.ts';
import { originalFrame, placeOfRow, placesOfFrame } from './frame-places.ts';
import { missingMapsWarning, summarize } from './summary.ts';
import type { PathMapping } from './target-files.ts';

/** Some 300 B each. A program is stuck in few places, and busy in some hundred. */
const placesMax = 10_000;
/** A target whose files cannot be reached is asked again after this. */
const problemMs = 30_000;

export interface OriginalFrames {
  /** Per frame asked; null where no source map knows it. */
  readonly frames: readonly (Omit<StackFrame, 'functionPlace'> | null)[];
  readonly warnings: readonly string[];
}

/**
 * Original places of frames that run. What was found for a process is remembered: its code does not change, so the maps are read once for
 * each new place. Never rejects; what goes wrong is a warning, and the frames stay as V8 has them.
 */
export class FrameOriginals {
  readonly #worker: Pick<ProfileWorker, 'positions'>;
  readonly #mappings: readonly PathMapping[];
  /** By process and place; in the order of use, the oldest goes first. */
  readonly #known = new Map<string, PlaceRow | null>();
  readonly #problems = new Map<string, { readonly text: string; readonly untilMs: number }>();

  constructor(options: { worker: Pick<ProfileWorker, 'positions'>; mappings: readonly PathMapping[] }) {
    this.#worker = options.worker;
    this.#mappings = options.mappings;
  }

  async of(watcher: Pick<TargetWatcher, 'view'>, frames: readonly StackFrame[]): Promise<OriginalFrames> {
    const context = sourceMapContext(watcher, this.#mappings);
    const instanceId = watcher.view.identity?.instanceId;
    const ofFiles = frames.filter(({ url }) => scriptPathOf(url) !== undefined);
    if (context === undefined || instanceId === undefined || ofFiles.length === 0) return unknown(frames, []);
    const problem = this.#problems.get(instanceId);
    if (problem !== undefined && problem.untilMs > performance.now()) return unknown(frames, [problem.text]);
    const keyOf = (place: RawPlace): string => `${instanceId}\n${keyOfPlace(place)}`;
    const places = ofFiles.flatMap(placesOfFrame).filter((place) => !this.#known.has(keyOf(place)));
    const rowOf = (place: RawPlace): PlaceRow | null | undefined => this.#known.get(keyOf(place));
    const warnings: string[] = [];
    if (places.length > 0) {
      try {
        const found = await this.#worker.positions({ places, lines: [] }, { sourceMaps: context });
        for (const place of places) this.#remember(keyOf(place), null);
        for (const row of found.positions.places) this.#remember(keyOf(placeOfRow(row)), row);
        const missing = missingMapsWarning(summarize(found));
        if (missing !== undefined) warnings.push(missing);
        if (found.problem !== null) warnings.push(found.problem);
        if (found.problem !== null && found.mapped === 0) this.#block(instanceId, found.problem);
      } catch (error) {
        if (!(error instanceof SidescopeError)) throw error;
        const text = `no source maps were read: ${error.message}`;
        warnings.push(text);
        this.#block(instanceId, text);
      }
    }
    return { frames: frames.map((frame) => originalFrame(frame, rowOf) ?? null), warnings };
  }

  #remember(key: string, row: PlaceRow | null): void {
    this.#known.delete(key);
    this.#known.set(key, row);
    if (this.#known.size <= placesMax) return;
    const [oldest] = this.#known.keys();
    this.#known.delete(oldest!);
  }

  /** Of few processes at a time; what is over is dropped with the next one. */
  #block(instanceId: string, text: string): void {
    for (const [id, { untilMs }] of this.#problems) if (untilMs < performance.now()) this.#problems.delete(id);
    this.#problems.set(instanceId, { text, untilMs: performance.now() + problemMs });
  }
}

function unknown(frames: readonly StackFrame[], warnings: readonly string[]): OriginalFrames {
  return { frames: frames.map(() => null), warnings };
}
