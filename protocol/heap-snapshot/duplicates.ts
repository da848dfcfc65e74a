import { selfSizeOf } from './graph.ts';
import type { HeapGraph } from './graph.ts';

export interface DuplicateString {
  readonly text: string;
  readonly count: number;
  readonly selfBytes: number;
  /** What one instead of `count` of them would save. */
  readonly wastedBytes: number;
  /** V8 writes 1,024 characters of a string at most: longer ones that begin alike count as one here. */
  readonly isPrefix: boolean;
}

const V8_STRING_MAX = 1024;

/** Strings that are there more than once, by the bytes that this wastes. V8 writes equal contents under one number. */
export function findDuplicateStrings(graph: HeapGraph, limit: number): DuplicateString[] {
  const string = graph.nodeTypeNames.indexOf('string');
  const counts = new Uint32Array(graph.strings.length);
  const bytes = new Float64Array(graph.strings.length);
  const largest = new Float64Array(graph.strings.length);
  for (let node = 0; node < graph.nodeCount; node++) {
    if (graph.types[node] !== string) continue;
    const name = graph.names[node]!;
    const size = selfSizeOf(graph, node);
    counts[name]!++;
    bytes[name]! += size;
    largest[name] = Math.max(largest[name]!, size);
  }
  const wasted = (name: number): number => bytes[name]! - largest[name]!;
  const found: number[] = [];
  counts.forEach((count, name) => {
    if (count > 1 && wasted(name) > 0) found.push(name);
  });
  return found
    .sort((a, b) => wasted(b) - wasted(a) || a - b)
    .slice(0, limit)
    .map((name) => ({
      text: graph.strings.text(name),
      count: counts[name]!,
      selfBytes: bytes[name]!,
      wastedBytes: wasted(name),
      isPrefix: bytes[name]! / counts[name]! > V8_STRING_MAX,
    }));
}
