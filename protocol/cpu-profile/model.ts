/** A function as V8 names it. Several nodes share one frame. */
export interface Frame {
  /** Empty for anonymous functions. */
  readonly functionName: string;
  /** As in the file: `file:///app/a.js`, `node:fs`, empty for builtins and `(idle)`. */
  readonly url: string;
  /** V8's script; '0' for what is no JavaScript. */
  readonly scriptId: string;
  /** Where the function begins, 1-based; 0 when it has no place. */
  readonly line: number;
  readonly column: number;
}

/**
 * A .cpuprofile as columns. Nodes are in depth-first order, the root is node 0: a parent stands before its children,
 * and the descendants of node `i` are the nodes from `i + 1` up to `subtreeEnds[i]`, that one excluded.
 *
 *     node         0        1       2        3
 *     frames       (root)   main    fib      (idle)
 *     parents     -1        0       1        0
 *     subtreeEnds  4        3       3        4
 */
export interface CpuProfile {
  /** The target's CLOCK_MONOTONIC. */
  readonly startTimeUs: number;
  readonly endTimeUs: number;
  /** Those of dropped nodes may be among them. */
  readonly frames: readonly Frame[];
  /** Per node: index in `frames`. */
  readonly nodeFrames: Uint32Array;
  readonly parents: Int32Array;
  readonly subtreeEnds: Uint32Array;
  /** Per sample, in order of time: the node that was on top of the stack. */
  readonly samples: Uint32Array;
  /** Per sample: microseconds since `startTimeUs`. A sample stands for the time until the next one, the last until the end. */
  readonly sampleTimesUs: Float64Array;
  /** Self samples by source line: those of node `i` are the entries from `lineStarts[i]` up to `lineStarts[i + 1]`. */
  readonly lineStarts: Uint32Array;
  readonly lines: Uint32Array;
  readonly lineSamples: Uint32Array;
}

/** The time that sample `index` stands for. */
export function sampleDurationUs(profile: CpuProfile, index: number): number {
  const end = profile.sampleTimesUs[index + 1] ?? profile.endTimeUs - profile.startTimeUs;
  return end - profile.sampleTimesUs[index]!;
}
