import { joinLines, shareText, textTable } from '../text-table/table.ts';
import type { CpuDiff } from './diff.ts';
import { cpuFacts } from './facts.ts';
import { sumNodes } from './call-tree.ts';
import { shortFrameText } from './frame-text.ts';
import { findHotStacks, stackLines } from './hot-stacks.ts';
import type { HotStack } from './hot-stacks.ts';
import { findHotFunctions, sumCategories } from './hot-functions.ts';
import type { HotFunction } from './hot-functions.ts';
import type { CpuProfile } from './model.ts';

/** What one profile says at a glance; plain values, for JSON and for the report. */
export interface CpuSummary {
  readonly durationMs: number;
  readonly samples: number;
  readonly intervalUs: number;
  /** Of all time, that in which the thread was not idle: 0 to 1. */
  readonly busyShare: number;
  /** Of all time, by whose code it was. */
  readonly shares: Readonly<Record<string, number>>;
  readonly functions: readonly HotFunction[];
  /** The hottest stacks, outermost function first. */
  readonly stacks: readonly HotStack[];
}

export function summarizeCpu(profile: CpuProfile, limit = 20): CpuSummary {
  const { selfUs, totalUs } = sumNodes(profile);
  const categories = sumCategories(profile, selfUs);
  const sampledUs = totalUs[0]!;
  const share = (partUs: number): number => (sampledUs > 0 ? partUs / sampledUs : 0);
  const { facts } = cpuFacts(profile);
  return {
    durationMs: (profile.endTimeUs - profile.startTimeUs) / 1_000,
    samples: facts.samples,
    intervalUs: facts.intervalUs,
    busyShare: share(sampledUs - categories.idle),
    shares: Object.fromEntries(Object.entries(categories).map(([name, us]) => [name, share(us)])),
    functions: findHotFunctions(profile, limit),
    stacks: findHotStacks(profile, { selfValues: selfUs, whole: sampledUs - categories.idle, limit: 5 }),
  };
}

/** Fewer than 200 lines of at most 160 characters, the same for the same profile; more only where `rows` asks for more functions. */
export function cpuSummaryText(
  { durationMs, samples, intervalUs, busyShare, shares, functions, stacks }: CpuSummary,
  { rows = 0 }: { rows?: number } = {},
): string {
  return joinLines([
    `CPU profile: ${(durationMs / 1_000).toFixed(1)} s, ${samples} samples, one per ${(intervalUs / 1_000).toFixed(1)} ms, busy ${shareText(busyShare)}`,
    '',
    'Time by whose code it was',
    ...textTable(
      Object.entries(shares).filter(([, share]) => share > 0),
      { share: ([, share]) => shareText(share), what: ([name]) => categoryTexts[name] ?? name },
    ),
    '',
    'Functions by self time, of the busy time',
    ...textTable(functions.slice(0, Math.max(50, rows)), {
      self: ({ selfShare }) => shareText(selfShare),
      'self ms': ({ selfUs }) => (selfUs / 1_000).toFixed(1),
      'total ms': ({ totalUs }) => (totalUs / 1_000).toFixed(1),
      function: (entry) => shortFrameText({ ...entry, scriptId: '' }),
    }),
    ...(stacks.length === 0 ? [] : ['', 'Hottest stacks, innermost function last']),
    ...stackLines(stacks),
  ]);
}

const categoryTexts: Readonly<Record<string, string>> = {
  app: 'application',
  package: 'packages (node_modules)',
  node: 'Node.js itself',
  native: 'builtins, WebAssembly',
  gc: 'garbage collection',
  idle: 'idle',
  program: 'not JavaScript',
};

export function cpuDiffText({ activeBefore, activeAfter, busyBefore, busyAfter, functions }: CpuDiff): string {
  return joinLines([
    `CPU diff: ${activeBefore} and ${activeAfter} busy samples; busy ${shareText(busyBefore)}, then ${shareText(busyAfter)}`,
    '',
    'Functions by change of their share of the busy time; * beyond the noise of sampling',
    ...textTable(functions, {
      change: ({ change }) => shareText(change, { signed: true }),
      before: ({ shareBefore, kind }) => (kind === 'new' ? '-' : shareText(shareBefore)),
      after: ({ shareAfter, kind }) => (kind === 'gone' ? '-' : shareText(shareAfter)),
      '': ({ isSignificant, kind }) => `${isSignificant ? '*' : ' '} ${kind === 'changed' ? '' : kind}`.trimEnd(),
      function: (entry) => shortFrameText({ ...entry, column: 0, scriptId: '' }),
    }),
  ]);
}
