import { mergeSampleTrees } from '../../../protocol/cpu-profile/merge.ts';
import type { Frame } from '../../../protocol/cpu-profile/model.ts';
import { isIdle } from '../../../protocol/cpu-profile/sample-tree.ts';
import type { SampleTree } from '../../../protocol/cpu-profile/sample-tree.ts';
import { diffSampleTrees } from '../../../protocol/cpu-profile/tree-diff.ts';
import type { FunctionChange, TreeDiff } from '../../../protocol/cpu-profile/tree-diff.ts';
import { compareRoutes, trafficWarnings } from './compare-routes.ts';
import type { RouteChange } from './compare-routes.ts';
import type { PodSample } from './sample-pod.ts';

/** A function's change, and whether it holds from pod to pod. */
export interface PodwiseChange extends FunctionChange {
  /** Of the busy samples, the least and the most of any pod. */
  readonly rangeBefore: readonly [number, number];
  readonly rangeAfter: readonly [number, number];
  /** Beyond the noise of sampling, and every new pod is above (or below) every old one. */
  readonly isSure: boolean;
}

export interface MemoryChange {
  readonly name: 'rss' | 'heap used' | 'external';
  readonly before: number | null;
  readonly after: number | null;
}

export interface Comparison {
  readonly cpu: Omit<TreeDiff, 'tree' | 'functions'> & { readonly functions: readonly PodwiseChange[] };
  readonly routes: readonly RouteChange[];
  /** Means of the pods. */
  readonly memory: readonly MemoryChange[];
  /** Why some of it is not to be relied on. */
  readonly warnings: readonly string[];
}

const fewSamples = 200;

/** Both have one pod at least. Functions by their share of the busy samples, so that the number of pods does not matter. */
export function compareSides(before: readonly PodSample[], after: readonly PodSample[], limit: number): Comparison {
  const [old, now] = [before, after].map((side) => mergeSampleTrees(side.map(({ tree }) => tree))) as [
    SampleTree,
    SampleTree,
  ];
  const { functions, tree: _, ...sums } = diffSampleTrees(old, now, { limit: Infinity, nodesMax: 0 });
  const shares = [before, after].map((side) => side.map(({ tree }) => sharesOf(tree))) as [Shares[], Shares[]];
  return {
    cpu: { ...sums, functions: functions.slice(0, limit).map((change) => podwise(change, shares)) },
    routes: compareRoutes(before, after),
    memory: compareMemory(before, after),
    warnings: [
      ...commonWarnings(functions),
      ...(Math.min(sums.activeBefore, sums.activeAfter) < fewSamples
        ? [
            `only ${Math.min(sums.activeBefore, sums.activeAfter)} busy samples on one side: a longer --duration, or more load, tells more`,
          ]
        : []),
      ...trafficWarnings(before, after),
      ...ageWarnings(before, after),
      ...[...before, ...after].flatMap(({ pod, problems }) => problems.map((problem) => `${pod.name}: ${problem}`)),
    ],
  };
}

type Shares = ReadonlyMap<string, number>;

/** By `nameIn`. */
function sharesOf({ frames, nodeFrames, self }: SampleTree): Shares {
  const idle = frames.map(isIdle);
  const sums = new Map<string, number>();
  let active = 0;
  nodeFrames.forEach((index, node) => {
    const value = self[node]!;
    if (value === 0 || idle[index]!) return;
    active += value;
    const name = nameIn(frames[index]!);
    sums.set(name, (sums.get(name) ?? 0) + value);
  });
  return new Map([...sums].map(([name, value]) => [name, value / active]));
}

/** By name alone, as files may have moved between the versions; those without one by their file. */
function nameIn({ functionName, url }: Pick<Frame, 'functionName' | 'url'>): string {
  return functionName === '' || functionName === '(anonymous)' ? `(anonymous) ${url}` : functionName;
}

function podwise(
  change: FunctionChange,
  [before, after]: readonly [readonly Shares[], readonly Shares[]],
): PodwiseChange {
  const range = (side: readonly Shares[]): [number, number] => {
    const values = side.map((shares) => shares.get(nameIn(change)) ?? 0);
    return [Math.min(...values), Math.max(...values)];
  };
  const [rangeBefore, rangeAfter] = [range(before), range(after)];
  const isApart = rangeAfter[0] > rangeBefore[1] || rangeAfter[1] < rangeBefore[0];
  return { ...change, rangeBefore, rangeAfter, isSure: change.isSignificant && isApart };
}

function commonWarnings(functions: readonly FunctionChange[]): string[] {
  const own = functions.filter(({ url }) => url !== '' && !url.startsWith('node:'));
  const sides = { before: own.filter(({ kind }) => kind !== 'new'), after: own.filter(({ kind }) => kind !== 'gone') };
  if (sides.before.length === 0 || sides.after.length === 0)
    return ['no function of the application was on the CPU in one of the versions: is there any load?'];
  if (own.some(({ kind }) => kind === 'changed')) return [];
  const example = `${sides.before[0]!.functionName || '(anonymous)'} ${sides.before[0]!.url}, now ${sides.after[0]!.functionName || '(anonymous)'} ${sides.after[0]!.url}`;
  return [
    `the two versions have no function in common (such as ${example}): minified without source maps, or another program?`,
  ];
}

function compareMemory(before: readonly PodSample[], after: readonly PodSample[]): MemoryChange[] {
  const fields = { rss: 'rssBytes', 'heap used': 'heapUsedBytes', external: 'externalBytes' } as const;
  return Object.entries(fields).map(([name, field]) => {
    const mean = (side: readonly PodSample[]): number | null => {
      const values = side.flatMap(({ memory }) => memory?.[field] ?? []);
      return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    return { name: name as MemoryChange['name'], before: mean(before), after: mean(after) };
  });
}

/** A process that is ten times as old has had ten times as long to fill its caches. */
function ageWarnings(before: readonly PodSample[], after: readonly PodSample[]): string[] {
  const youngest = (side: readonly PodSample[]): number =>
    Math.min(...side.map(({ uptimeMs }) => uptimeMs ?? Infinity));
  const [old, now] = [youngest(before), youngest(after)];
  if (!Number.isFinite(old) || !Number.isFinite(now) || now * 10 > old) return [];
  return [
    `the new pods run for ${Math.round(now / 60_000)} min, the old ones for ${Math.round(old / 60_000)} min: memory that grows with age cannot be compared yet`,
  ];
}
