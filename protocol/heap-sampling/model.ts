import type { Frame } from '../cpu-profile/model.ts';

/** A .heapprofile as columns: the call tree of what was allocated. Nodes are in depth-first order, the root is node 0. */
export interface HeapSamplingProfile {
  readonly frames: readonly Frame[];
  /** Per node: index in `frames`. */
  readonly nodeFrames: Uint32Array;
  /** -1 for the root. */
  readonly parents: Int32Array;
  /** Per node: V8's estimate of the bytes that its function allocated itself. V8 has scaled the samples up already. */
  readonly selfBytes: Float64Array;
  readonly samples: number;
}
