import { filePathOf } from '../../protocol/cpu-profile/frame-text.ts';
import type { FunctionChange } from '../../protocol/rest/diff.ts';
import type { Cause, Reference, Regression } from '../../protocol/rest/regressions.ts';
import type { LoadChange, Verdict } from './comparison.ts';
import type { Limit } from './measures.ts';

/** The part of a finding that is numbers. */
export function comparedOf(
  verdict: Verdict,
): Pick<
  Regression,
  'metric' | 'title' | 'unit' | 'baseline' | 'now' | 'change' | 'significance' | 'severity' | 'explanation'
> {
  const { measure: metric, limit, baseline, now, change, significance, severity, explanation } = verdict;
  return {
    metric,
    title: limit.title,
    unit: limit.unit,
    baseline,
    now,
    change: Number.isFinite(change) ? change : null,
    significance,
    severity,
    explanation,
  };
}

/** "CPU is 0.61 cores, 74 % more than the 0.35 of version 1.4.1, at 1.0 times the requests" */
export function titleOf(
  { limit, baseline, now, change }: Verdict,
  { reference, load }: { reference: Reference; load: LoadChange },
): string {
  const by = Number.isFinite(change) ? `${Math.round(Math.abs(change) * 100)} % ` : '';
  const direction = change < 0 ? 'less' : 'more';
  const at =
    load.ratio === null || load.ratio === Infinity
      ? 'the load is not known'
      : `at ${load.ratio.toFixed(1)} times the requests`;
  return `${limit.title} is ${valueText(now, limit.unit)}, ${by}${direction} than the ${valueText(baseline.median, limit.unit)} of ${referenceName(reference)}, ${at}`;
}

export function referenceName({ kind, version, isProvisional }: Reference): string {
  const name = version === null ? 'the version before' : `version ${version}`;
  const first = isProvisional ? ' in its first minutes' : '';
  return kind === 'previous-version' ? `${name}${first}` : isProvisional ? 'the first minutes' : 'the baseline';
}

export function valueText(value: number, unit: Limit['unit']): string {
  switch (unit) {
    case 'bytes':
      return `${(value / 1e6).toFixed(1)} MB`;
    case 'cores':
      return `${value.toFixed(2)} cores`;
    case 'ms':
      return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
    case 'number':
      return String(Number(value.toPrecision(3)));
  }
}

/** A function that takes more of the CPU time than it did. `cores`: of the whole process, then and now. */
export function functionCause(
  { functionName, url, line, kind, shareBefore, shareAfter }: FunctionChange,
  { version, cores }: { version: string | null; cores: { before: number; now: number } | undefined },
): Cause {
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const place = url === '' ? '' : ` (${filePathOf(url)}${line > 0 ? `:${line}` : ''})`;
  const then =
    kind === 'new' ? 'it is new' : `${percent(shareBefore)} in ${version === null ? 'the version before' : version}`;
  const inCores =
    cores === undefined
      ? ''
      : `: ${(shareAfter * cores.now).toFixed(2)} cores, ${(shareBefore * cores.before).toFixed(2)} then`;
  return {
    kind: 'function',
    text: `${functionName}${place} takes ${percent(shareAfter)} of the CPU time, ${then}${inCores}`,
    functionName,
    url,
    line,
    shareBefore,
    shareAfter,
  };
}

export function plainCause(kind: 'version' | 'load' | 'machine', text: string): Cause {
  return { kind, text, functionName: null, url: null, line: null, shareBefore: null, shareAfter: null };
}

/** As an attachment of an alert. */
export function functionsText(changes: readonly FunctionChange[]): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`.padStart(8);
  return [
    'change     before     after  function, by share of the CPU time; * beyond the noise of sampling',
    ...changes.map(
      ({ change, shareBefore, shareAfter, isSignificant, functionName, url, line }) =>
        `${change > 0 ? '+' : '-'}${percent(Math.abs(change))} ${percent(shareBefore)} ${percent(shareAfter)} ${isSignificant ? '*' : ' '} ${functionName} ${filePathOf(url)}${line > 0 ? `:${line}` : ''}`,
    ),
  ].join('\n');
}
