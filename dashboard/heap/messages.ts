import type { BiggestObject } from '../../protocol/heap-snapshot/biggest.ts';
import type { GrownPath, HeapDiff } from '../../protocol/heap-snapshot/diff.ts';
import type { DuplicateString } from '../../protocol/heap-snapshot/duplicates.ts';
import type { HeapObject, Listed } from '../../protocol/heap-snapshot/explore.ts';
import type { HeapHint } from '../../protocol/heap-snapshot/hints.ts';
import type { RetainerGroup } from '../../protocol/heap-snapshot/retainer-groups.ts';

/** Where a snapshot comes from: the agent's store, by a link that needs no header, or a file of this machine. */
export type SnapshotSource =
  | { readonly kind: 'stored'; readonly url: string; readonly sizeBytes: number }
  | { readonly kind: 'file'; readonly file: File };

export const classOrders = ['name', 'count', 'self', 'retained', 'new', 'growth'] as const;
export type ClassOrder = (typeof classOrders)[number];

export interface ClassQuery {
  readonly order: ClassOrder;
  readonly isDescending: boolean;
  /** Part of a name, upper and lower case alike. */
  readonly filter: string;
  readonly offset: number;
  readonly limit: number;
}

export interface ClassRow {
  readonly name: string;
  readonly count: number;
  readonly selfBytes: number;
  readonly retainedBytes: number;
  /** Against the snapshot compared with; null without one. */
  readonly change: {
    readonly count: number;
    readonly newCount: number;
    readonly freedCount: number;
    readonly retainedBytes: number;
  } | null;
}

export interface Page<Row> {
  readonly total: number;
  readonly rows: readonly Row[];
}

export interface Overview {
  readonly nodes: number;
  readonly edges: number;
  readonly selfBytes: number;
  readonly classCount: number;
  readonly unreachedNodes: number;
  readonly types: readonly { readonly type: string; readonly count: number; readonly selfBytes: number }[];
  readonly biggest: readonly BiggestObject[];
  readonly duplicates: readonly DuplicateString[];
  readonly hints: readonly HeapHint[];
}

export interface Comparison {
  /** With the one that is open: two or three. */
  readonly snapshots: number;
  /** Why it says less than it seems to. */
  readonly warning: string | null;
  readonly totals: HeapDiff['totals'];
  readonly changedClasses: number;
  readonly grown: readonly GrownPath[];
}

export interface ClassDetail {
  readonly name: string;
  readonly count: number;
  readonly groups: readonly RetainerGroup[];
  /** Those that retain most, at most 200. */
  readonly objects: readonly HeapObject[];
}

export interface WayStep {
  /** How one gets here from the step before; empty for the first. */
  readonly edge: string;
  readonly object: HeapObject;
}

export interface ObjectDetail {
  readonly object: HeapObject;
  /** The shortest way from a root, at most 40 steps at its end. */
  readonly way: readonly WayStep[];
  readonly omittedSteps: number;
  /** As one would write it: `global.cache.table[12].value`. */
  readonly path: string;
}

/** What the worker is asked, and what it answers to each. */
export interface Questions {
  open: { readonly asked: { readonly source: SnapshotSource }; readonly answer: Overview };
  /** With one or two others, the earlier first. */
  compare: { readonly asked: { readonly sources: readonly SnapshotSource[] }; readonly answer: Comparison };
  classes: { readonly asked: ClassQuery; readonly answer: Page<ClassRow> };
  class: { readonly asked: { readonly name: string }; readonly answer: ClassDetail };
  object: { readonly asked: { readonly node: number } | { readonly id: number }; readonly answer: ObjectDetail };
  fields: { readonly asked: { readonly node: number; readonly offset: number }; readonly answer: Listed };
  retainers: { readonly asked: { readonly node: number; readonly offset: number }; readonly answer: Listed };
}
export type QuestionName = keyof Questions;

export type Request = {
  [Name in QuestionName]: { readonly id: number; readonly name: Name; readonly asked: Questions[Name]['asked'] };
}[QuestionName];

export interface Progress {
  /** "reading", then the steps of the analysis. */
  readonly phase: string;
  /** null while it cannot be known. */
  readonly fraction: number | null;
  readonly bytes: number;
}

/** What comes unasked. */
export interface Told {
  readonly type: 'progress';
  readonly progress: Progress;
}

/** Ends what is being read, and nothing else. */
export const cancelMessage = 'cancel';
export const pageLength = 100;
