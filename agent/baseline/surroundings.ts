import type { Baseline } from '../../protocol/rest/baseline.ts';
import type { Cause } from '../../protocol/rest/regressions.ts';
import { medianOf } from '../../protocol/trend/growth-trend.ts';
import type { LoadChange } from './comparison.ts';
import { starvationOf } from './starvation.ts';
import type { Window } from './window.ts';
import { plainCause } from './words.ts';

/** Of a container that is throttled now and then, as every small one is. */
const throttledShare = 0.05;
/** Tasks more, and times as many, that want the node's CPUs. */
const busierBy = 1;
const busierTimes = 1.5;

/** What beside the program may have made a measure worse: more requests, and CPU that it was not given. They change while a finding is open. */
export function surroundingCauses(
  measure: string,
  { windows, baseline, load }: { windows: readonly Window[]; baseline: Baseline; load: LoadChange },
): Cause[] {
  const causes: Cause[] = [];
  // CPU time is used or not, whoever waits for it: only what is measured by the clock waits.
  if (measure === 'delay-p99' || measure.startsWith('route-p95 '))
    causes.push(...machineTexts(windows, baseline).map((text) => plainCause('machine', text)));
  const starvation = starvationOf(windows, baseline);
  // Of memory too: collections that come late leave garbage.
  if (starvation !== null && !measure.startsWith('cpu')) causes.push(plainCause('machine', starvation));
  if (load.ratio !== null && load.ratio > 1.2 && load.ratio !== Infinity)
    causes.push(plainCause('load', `${load.ratio.toFixed(1)} times the requests of the baseline`));
  return causes;
}

export function isOfSurroundings({ kind }: Cause): boolean {
  return kind === 'load' || kind === 'machine';
}

function machineTexts(windows: readonly Window[], { measures }: Baseline): string[] {
  const texts: string[] = [];
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const changeOf = (name: string): { before: number; now: number } | undefined => {
    const values = windows.map(({ values: of }) => of[name]).filter((value) => value !== undefined);
    const before = measures[name]?.median;
    return before === undefined || values.length === 0 ? undefined : { before, now: medianOf(values) };
  };
  const throttled = changeOf('throttled');
  if (throttled !== undefined && throttled.now > throttled.before + throttledShare)
    texts.push(
      `its CPU limit kept it waiting for ${percent(throttled.now)} of the time, ${percent(throttled.before)} at the baseline`,
    );
  const tasks = changeOf('load-average-1');
  if (tasks !== undefined && tasks.now >= tasks.before + busierBy && tasks.now >= tasks.before * busierTimes)
    texts.push(
      `the node is busier: its load average is ${tasks.now.toFixed(1)}, ${tasks.before.toFixed(1)} at the baseline`,
    );
  return texts;
}
