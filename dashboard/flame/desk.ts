import { categorizeFrame } from '../../protocol/cpu-profile/frame-text.ts';
import { SidescopeError } from '../../protocol/error.ts';
import { diffTrees, type FlameDiff } from './diff-tree.ts';
import { buildFlameTree, type FlameTree, type StackTree } from './flame-tree.ts';
import { sumFunctions } from './functions.ts';
import type { Flame, LineShare, OpenedProfile, RequestFilter, RequestShares } from './messages.ts';
import type { ReadProfile } from './read-profile.ts';
import { searchFrames, type Matches } from './search.ts';

const linesShown = 20;

/** One open profile and what is asked of it. No DOM, no I/O: the worker's part that can be tested. */
export class FlameDesk {
  readonly #profile: ReadProfile;
  #labelled: ReadProfile;
  #tree: FlameTree;
  #diff: FlameDiff | null = null;

  constructor(profile: ReadProfile) {
    this.#profile = profile;
    this.#labelled = profile;
    this.#tree = buildFlameTree(profile.tree);
  }

  opened(): OpenedProfile {
    const { kind, tree, comparable, durationUs } = this.#profile;
    return { kind, flame: this.#flame(), samples: comparable.samples, durationUs, idleShare: idleShareOf(tree) };
  }

  /** The labels may come in a second file of the same profile; without one, in the first. */
  requests(labelled: ReadProfile = this.#profile): RequestShares {
    this.#labelled = labelled;
    const requests = labelled.requests
      .map(({ nodes: _, weights, ...request }) => ({ ...request, weight: sumOf(weights) }))
      .toSorted((a, b) => b.weight - a.weight);
    return { requests, weight: sumOf(labelled.tree.self) * (1 - idleShareOf(labelled.tree)) };
  }

  layout({ withIdle, request }: { withIdle: boolean; request: RequestFilter | null }): Flame {
    const source = request === null ? this.#profile.tree : onlyRequests(this.#labelled, request);
    this.#tree = buildFlameTree(source, { withIdle });
    return this.#flame();
  }

  search({ pattern, inDiff }: { pattern: string; inDiff: boolean }): Matches {
    return searchFrames(inDiff && this.#diff !== null ? this.#diff.tree : this.#tree, pattern);
  }

  /** `before` is the other one: what the open profile has more of has grown. */
  compare(before: ReadProfile): FlameDiff {
    if (before.kind !== this.#profile.kind) {
      const both = `a ${before.kind} and a ${this.#profile.kind} profile`;
      throw new SidescopeError('unsupported-format', `${both} have nothing to compare`);
    }
    this.#diff = diffTrees(before.comparable, this.#profile.comparable);
    return this.#diff;
  }

  /** Where within a function V8 saw it executing, most first; empty where the format does not tell. */
  lines(frame: number): LineShare[] {
    const { cpu } = this.#profile;
    if (cpu === null) return [];
    const byLine = new Map<number, number>();
    cpu.nodeFrames.forEach((of, node) => {
      if (of !== frame) return;
      for (let at = cpu.lineStarts[node]!; at < cpu.lineStarts[node + 1]!; at++) {
        byLine.set(cpu.lines[at]!, (byLine.get(cpu.lines[at]!) ?? 0) + cpu.lineSamples[at]!);
      }
    });
    const sum = [...byLine.values()].reduce((all, samples) => all + samples, 0);
    return [...byLine]
      .map(([line, samples]) => ({ line, share: samples / sum }))
      .toSorted((a, b) => b.share - a.share || a.line - b.line)
      .slice(0, linesShown);
  }

  #flame(): Flame {
    return { tree: this.#tree, unit: this.#profile.unit, functions: sumFunctions(this.#tree) };
  }
}

function onlyRequests({ tree, requests }: ReadProfile, { by, value }: RequestFilter): StackTree {
  const self = new Float64Array(tree.self.length);
  for (const request of requests) {
    if ((by === 'trace' ? request.traceId : request.route) !== value) continue;
    request.nodes.forEach((node, index) => (self[node]! += request.weights[index]!));
  }
  return { ...tree, self };
}

function sumOf(weights: readonly number[] | Float64Array): number {
  let sum = 0;
  for (const weight of weights) sum += weight;
  return sum;
}

function idleShareOf({ frames, nodeFrames, self }: StackTree): number {
  const isIdle = frames.map((frame) => categorizeFrame(frame) === 'idle');
  let idle = 0;
  let all = 0;
  self.forEach((value, node) => {
    all += value;
    if (isIdle[nodeFrames[node]!]) idle += value;
  });
  return all > 0 ? idle / all : 0;
}
