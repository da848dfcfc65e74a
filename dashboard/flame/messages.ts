import type { FlameDiff } from './diff-tree.ts';
import type { FlameTree, FlameUnit } from './flame-tree.ts';
import type { FunctionSums } from './functions.ts';
import type { Matches } from './search.ts';

/** Where a profile comes from: the agent's store, by a link that needs no header, or a file of this machine. */
export type ProfileSource = StoredProfile | { readonly kind: 'file'; readonly file: File };

export interface StoredProfile {
  readonly kind: 'stored';
  readonly url: string;
  /** How many V8 took, where that is known: a pprof of allocations has only their sums. */
  readonly samples?: number;
}

/** One trace, or all requests of one route. */
export interface RequestFilter {
  readonly by: 'trace' | 'route';
  readonly value: string;
}

export interface Flame {
  readonly tree: FlameTree;
  readonly unit: FlameUnit;
  readonly functions: FunctionSums;
}

export interface OpenedProfile {
  readonly kind: 'cpu' | 'heap-sampling';
  readonly flame: Flame;
  readonly samples: number;
  /** null where the file does not say. */
  readonly durationUs: number | null;
  /** Of all weight, what is idle; 0 to 1. */
  readonly idleShare: number;
}

/** What a request has of a profile. */
export interface RequestShare {
  readonly traceId: string;
  readonly name: string;
  readonly route: string;
  readonly weight: number;
  /** Of it, what is surely its own. */
  readonly sureWeight: number;
}

export interface RequestShares {
  /** Most first, at most 5,000. */
  readonly requests: readonly RequestShare[];
  /** Of the whole profile, without idle time, in the same unit. */
  readonly weight: number;
}

export interface LineShare {
  readonly line: number;
  /** Of the samples in which the function itself was executing: 0 to 1. */
  readonly share: number;
}

/** What the worker is asked, and what it answers to each. */
export interface Questions {
  open: { readonly asked: { readonly source: ProfileSource }; readonly answer: OpenedProfile };
  /** The same profile with the labels that say whose work it was. */
  requests: { readonly asked: { readonly source: ProfileSource }; readonly answer: RequestShares };
  layout: {
    readonly asked: { readonly withIdle: boolean; readonly request: RequestFilter | null };
    readonly answer: Flame;
  };
  /** Answered when it is the turn of what is asked next. */
  turn: { readonly asked: null; readonly answer: null };
  search: { readonly asked: { readonly pattern: string; readonly inDiff: boolean }; readonly answer: Matches };
  compare: { readonly asked: { readonly source: ProfileSource }; readonly answer: FlameDiff };
  lines: { readonly asked: { readonly frame: number }; readonly answer: readonly LineShare[] };
}
export type QuestionName = keyof Questions;

export type Request = {
  [Name in QuestionName]: { readonly id: number; readonly name: Name; readonly asked: Questions[Name]['asked'] };
}[QuestionName];
