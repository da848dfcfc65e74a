import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { ProfileDiff } from '../../protocol/rest/diff.ts';
import type { Reference, Regression, RegressionCheck } from '../../protocol/rest/regressions.ts';
import { ago } from './samples.ts';

const spread = (median: number) => ({ median, noise: median / 20, low: median * 0.9, high: median * 1.1, windows: 60 });
const load = { source: 'spans', baseline: 40, now: 41, ratio: 1.025 } as const;

const settled: Reference = { kind: 'settled', version: '3.4.1', takenAt: ago(9_000_000), isProvisional: false };
const previous: Reference = {
  kind: 'previous-version',
  version: '3.4.0',
  takenAt: ago(90_000_000),
  isProvisional: false,
};

const cpu = {
  metric: 'cpu',
  title: 'CPU of the process',
  unit: 'cores',
  baseline: spread(0.25),
  now: 0.47,
  change: 0.88,
  significance: 17.6,
  severity: 'warning',
  explanation: null,
} as const;

const sampleWindows = Array.from({ length: 30 }, (_, index) => ({
  at: ago((29 - index) * 60_000),
  value: index < 15 ? 0.25 : 0.47,
}));

export function sampleCheck(over: Partial<RegressionCheck> = {}): RegressionCheck {
  const heap = {
    ...cpu,
    metric: 'heap-floor',
    title: 'Heap after collections',
    unit: 'bytes',
    baseline: spread(70_000_000),
    now: 72_000_000,
    change: 0.03,
    significance: 0.6,
  } as const;
  return {
    targetId: 't1',
    at: ago(0),
    message: 'The last 3 windows are compared with the settled baseline and with version 3.4.0.',
    comparisons: [
      {
        reference: settled,
        load,
        measures: [
          { ...heap, verdict: 'ok', windows: [] },
          { ...cpu, verdict: 'worse', windows: sampleWindows },
        ],
      },
      {
        reference: previous,
        load,
        measures: [{ ...cpu, baseline: spread(0.24), change: 0.96, verdict: 'worse', windows: sampleWindows }],
      },
    ],
    functions: {
      beforeVersion: '3.4.0',
      afterVersion: '3.4.1',
      samplesBefore: 9_000,
      samplesAfter: 8_000,
      changes: sampleDiff().functions,
    },
    functionsReason: null,
    open: [],
    ...over,
  };
}

export function sampleRegression(over: Partial<Regression> = {}): Regression {
  return {
    ...cpu,
    id: 'r-1',
    targetId: 't1',
    instanceId: 'i-1',
    service: { name: 'shop', version: '3.4.1' },
    reference: previous,
    state: 'open',
    outcome: 'sent',
    since: ago(900_000),
    foundAt: ago(720_000),
    updatedAt: ago(30_000),
    endedAt: null,
    endReason: null,
    load,
    correlated: [{ name: 'utilization', baseline: 0.22, now: 0.44, correlation: 0.91, windows: 9 }],
    windows: sampleWindows,
    causes: [
      {
        kind: 'function',
        text: 'renderReport (report.ts:88) grew from 4 % to 31 % of the CPU time',
        functionName: 'renderReport',
        url: 'report.ts',
        line: 88,
        shareBefore: 0.04,
        shareAfter: 0.31,
      },
    ],
    ...over,
  };
}

export function sampleBaseline(over: Partial<BaselineView> = {}): BaselineView {
  return {
    targetId: 't1',
    service: { name: 'shop', version: '3.4.1' },
    state: 'warming-up',
    message: 'Warming up: 12 of 30 windows with a flat memory floor.',
    windowMs: 60_000,
    windows: 12,
    provisional: null,
    settled: null,
    previous: null,
    previousMessage: 'no previous version: storage is new',
    now: { cpu: 0.47 },
    stateDirectory: '/var/lib/sidescope/state',
    profileSamples: 8_000,
    ...over,
  };
}

export function sampleDiff(over: Partial<ProfileDiff> = {}): ProfileDiff {
  return {
    kind: 'cpu',
    before: 'p-1',
    after: 'p-2',
    activeBefore: 9_000,
    activeAfter: 8_000,
    busyBefore: 0.3,
    busyAfter: 0.5,
    functions: [
      {
        functionName: 'renderReport',
        url: 'src/report.ts',
        line: 88,
        kind: 'changed',
        shareBefore: 0.04,
        shareAfter: 0.31,
        change: 0.27,
        selfBefore: 360,
        selfAfter: 2_480,
        isSignificant: true,
      },
      {
        functionName: 'oldPath',
        url: 'src/old.ts',
        line: 3,
        kind: 'gone',
        shareBefore: 0.02,
        shareAfter: 0,
        change: -0.02,
        selfBefore: 180,
        selfAfter: 0,
        isSignificant: false,
      },
    ],
    tree: [],
    ...over,
  };
}
