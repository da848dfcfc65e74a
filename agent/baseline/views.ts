import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { RegressionCheck } from '../../protocol/rest/regressions.ts';
import type { Identity } from '../service-identity.ts';
import type { Verdict } from './comparison.ts';
import { metricWindows } from './findings.ts';
import type { Compared } from './references.ts';
import type { RunTimes } from './run.ts';
import type { BaselineState } from './state.ts';
import type { VersionDiff } from './version-profiles.ts';
import type { WatchedRun } from './watched-run.ts';
import { comparedOf, referenceName } from './words.ts';

/** `GET /baseline`. `off`: why nothing is compared at all. */
export function baselineView(parts: {
  targetId: string;
  watched: WatchedRun | undefined;
  identity: Identity;
  state: BaselineState;
  times: RunTimes;
  off: string | undefined;
}): BaselineView {
  const { targetId, watched, identity, state, times } = parts;
  const { name, version } = identity;
  const known = watched?.known;
  const previous = watched?.previous;
  return {
    targetId,
    service: { name, version },
    ...stateOf(parts),
    windowMs: times.windowMs,
    windows: watched?.run.windows.length ?? 0,
    provisional: watched?.run.provisional ?? null,
    settled: known?.own ?? null,
    previous:
      previous === undefined
        ? null
        : {
            version: previous.version,
            firstSeenAt: previous.firstSeenAt,
            baseline: previous.baseline,
            profileSamples: previous.profileSamples,
          },
    previousMessage: previousMessage(watched, state),
    now: { ...watched?.lastWindow?.values },
    stateDirectory: state.location,
    profileSamples: watched?.record?.profileSamples ?? 0,
  };
}

function stateOf(parts: Parameters<typeof baselineView>[0]): Pick<BaselineView, 'state' | 'message'> {
  const { watched, times, off } = parts;
  if (off !== undefined) return { state: 'not-configured', message: `not configured: ${off}` };
  if (watched === undefined) return { state: 'waiting', message: 'no reading of the target yet' };
  const { known, run } = watched;
  const late = run.isLate ? ' The agent came when it had run for a while: its first minutes were not seen.' : '';
  if (known.own !== undefined) {
    const { kind, takenAt } = known.own;
    const how = kind === 'manual' ? 'asked for' : 'settled';
    return { state: 'settled', message: `the baseline of this version was taken at ${takenAt} (${how}).${late}` };
  }
  if (known.provisional !== undefined)
    return {
      state: 'provisional',
      message: `the first minutes are the baseline, and what differs from them alerts nobody. Not settled yet: ${run.settling}.${late}`,
    };
  const { warmUp, provisional, windowMs } = times;
  const seconds = ((warmUp + provisional) * windowMs) / 1000;
  return {
    state: 'warming-up',
    message: `still warming up: the first baseline is there ${seconds} s after the ${run.isLate ? 'agent came' : 'start'}.${late}`,
  };
}

function previousMessage(watched: WatchedRun | undefined, { problem, location }: BaselineState): string {
  const previous = watched?.previous;
  if (previous !== undefined && watched?.known.own?.kind === 'manual')
    return `compared with version ${previous.version ?? '(unknown)'} no more: a baseline of this one was asked for`;
  if (previous !== undefined && previous.baseline !== null)
    return `compared with version ${previous.version ?? '(unknown)'}, first seen ${previous.firstSeenAt}`;
  if (previous !== undefined)
    return `version ${previous.version ?? '(unknown)'} did not run long enough to leave a baseline`;
  if (problem !== undefined) return `no previous version: ${problem}`;
  if (watched?.record === undefined) return 'not looked for yet';
  return watched.isStorageNew
    ? `no previous version: storage is new (${location})`
    : 'no previous version: only this one was seen';
}

/** `GET /regressions/check`. */
export function checkView(parts: {
  targetId: string;
  at: string;
  watched: WatchedRun | undefined;
  compared: readonly Compared[];
  diff: VersionDiff | undefined;
  off: string | undefined;
  times: RunTimes;
}): RegressionCheck {
  const { targetId, at, watched, compared, diff } = parts;
  const previous = watched?.previous;
  return {
    targetId,
    at,
    message: checkMessage(parts),
    comparisons: compared.map(({ reference, load, verdicts }) => ({
      reference,
      load: { ...load, ratio: load.ratio === Infinity ? null : load.ratio },
      measures: verdicts
        .map((verdict) => ({
          ...comparedOf(verdict),
          verdict: verdictOf(verdict),
          windows: isShown(verdict) ? metricWindows(watched?.run.history ?? [], verdict.measure) : [],
        }))
        .toSorted((a, b) => verdictOrder.indexOf(a.verdict) - verdictOrder.indexOf(b.verdict)),
    })),
    functions:
      diff === undefined
        ? null
        : {
            beforeVersion: previous?.version ?? null,
            afterVersion: watched?.identity.version ?? null,
            samplesBefore: diff.samplesBefore,
            samplesAfter: diff.samplesAfter,
            changes: [...diff.changes],
          },
    functionsReason:
      diff !== undefined
        ? null
        : previous === undefined
          ? 'there is no previous version'
          : `both versions need a CPU profile with 100 samples of a busy main thread: POST /cpu/start takes one (of ${previous.version ?? 'the one before'} there are ${previous.profileSamples} samples)`,
    open: [...(watched?.findings.open ?? [])],
  };
}

const verdictOrder = ['worse', 'explained', 'unsure', 'ok'] as const;

/** A program may have a hundred routes. */
function isShown(verdict: Verdict): boolean {
  return verdictOf(verdict) !== 'ok' || !/^(?:route|series)/.test(verdict.measure);
}

function verdictOf({ isWorse, isWell, explanation }: Verdict): (typeof verdictOrder)[number] {
  if (isWorse) return explanation === null ? 'worse' : 'explained';
  return isWell ? 'ok' : 'unsure';
}

function checkMessage({ watched, compared, off, times }: Parameters<typeof checkView>[0]): string {
  if (off !== undefined) return `not configured: ${off}`;
  if (watched === undefined) return 'no reading of the target yet';
  const { windows, lasting } = watched.run;
  if (lasting === undefined)
    return `still warming up: ${Math.min(windows.length, times.lasting)} of ${times.lasting} windows of ${times.windowMs / 1000} s`;
  if (compared.length === 0) return 'there is no baseline yet: GET /baseline says what it waits for';
  return `the last ${times.lasting} windows of ${times.windowMs / 1000} s beside ${compared.map(({ reference }) => referenceName(reference)).join(' and ')}`;
}
