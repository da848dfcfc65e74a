import { categorizeFrame } from './frame-text.ts';
import type { CpuProfile } from './model.ts';

/** What a sample says of the thread. `js`: the program, or what it called; `other`: V8 saw no JavaScript; `gc` belongs to what ran around it. */
export const sampleState = { idle: 0, js: 1, gc: 2, other: 3 } as const;

/** Per sample: one of `sampleState`. */
export function sampleStates({ frames, nodeFrames, samples }: CpuProfile): Uint8Array {
  const states = frames.map((frame) => {
    const category = categorizeFrame(frame);
    if (category === 'idle') return sampleState.idle;
    if (category === 'gc') return sampleState.gc;
    return category === 'program' ? sampleState.other : sampleState.js;
  });
  return Uint8Array.from(samples, (node) => states[nodeFrames[node]!]!);
}

/**
 * Whether two samples can be one stack that went on: a call of the application's own, or of a package, was on both. Without one, something else was called from
 * the event loop in between.
 */
export class StackContinuity {
  readonly #profile: CpuProfile;
  readonly #depths: Uint32Array;
  readonly #isInApplication: Uint8Array;

  constructor(profile: CpuProfile) {
    this.#profile = profile;
    const { parents, nodeFrames, frames } = profile;
    const isApplication = frames.map((frame) => {
      const category = categorizeFrame(frame);
      return category === 'app' || category === 'package';
    });
    this.#depths = new Uint32Array(parents.length);
    this.#isInApplication = new Uint8Array(parents.length);
    // Parents stand before their children.
    for (let node = 0; node < parents.length; node++) {
      const above = parents[node]!;
      const isInherited = above >= 0 && this.#isInApplication[above] === 1;
      this.#depths[node] = above >= 0 ? this.#depths[above]! + 1 : 0;
      this.#isInApplication[node] = isInherited || isApplication[nodeFrames[node]!] === true ? 1 : 0;
    }
  }

  goesOn(before: number, after: number): boolean {
    const { parents } = this.#profile;
    let [a, b] = [before, after];
    while (a !== b) {
      if (this.#depths[a]! >= this.#depths[b]!) a = parents[a]!;
      else b = parents[b]!;
      if (a < 0 || b < 0) return false;
    }
    return this.#isInApplication[a] === 1;
  }
}
