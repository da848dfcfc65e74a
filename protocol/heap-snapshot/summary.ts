import type { HeapAnalysis, TypeTotal } from './analyse.ts';
import { findBiggestObjects } from './biggest.ts';
import type { BiggestObject } from './biggest.ts';
import type { HeapClass } from './classes.ts';
import { findDuplicateStrings } from './duplicates.ts';
import type { DuplicateString } from './duplicates.ts';
import { findHints } from './hints.ts';
import type { HeapHint } from './hints.ts';

/** What one snapshot says at a glance; plain values, for JSON and for the report. */
export interface HeapSummary {
  readonly nodes: number;
  readonly edges: number;
  readonly selfBytes: number;
  /** Of `nodes`, what no essential edge reaches: held weakly, or about to be collected. */
  readonly unreachedNodes: number;
  readonly types: readonly TypeTotal[];
  readonly classCount: number;
  readonly classes: readonly HeapClass[];
  readonly biggest: readonly BiggestObject[];
  readonly duplicates: readonly DuplicateString[];
  readonly hints: readonly HeapHint[];
}

/** `limit`: of each list. */
export function summarizeHeap(analysis: HeapAnalysis, limit = 20): HeapSummary {
  const { graph, histogram, types, paths } = analysis;
  return {
    nodes: graph.nodeCount,
    edges: graph.edgeCount,
    selfBytes: types.reduce((sum, { selfBytes }) => sum + selfBytes, 0),
    unreachedNodes: graph.nodeCount - paths.reachedCount,
    types,
    classCount: histogram.length,
    classes: histogram.slice(0, limit),
    biggest: findBiggestObjects(analysis, limit),
    duplicates: findDuplicateStrings(analysis.graph, limit),
    hints: findHints(analysis),
  };
}
