import { setImmediate } from 'node:timers/promises';
import type { RuleExplanation } from '../../protocol/rest/rules.ts';
import type { VitalsPoint } from '../../protocol/rest/vitals.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { Series } from '../baseline/series.ts';
import type { DeathRecords } from '../memory/death-records.ts';
import type { Timelines } from '../requests/timelines.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { RuleEvaluator, whyOf, type Evaluation } from './evaluate.ts';
import { pastEvents, type PastEvents } from './past-events.ts';
import { momentsOf, pastReadings, type PastSources } from './past-readings.ts';
import { leavesOf, type Rule, type RuleLeaf } from './rule.ts';
import { isRoute } from './target-readings.ts';

const historyMs = 3_600_000;
const maxFirings = 50;
const partMs = 300_000;
/** Of 16 conditions, in some milliseconds. */
const momentsAtOnce = 200;
/** A reading that is later than so says that there were none before. */
const lateMs = 120_000;

export interface ExplainSources {
  readonly monitor: Pick<Monitor, 'vitals' | 'listStalls'>;
  readonly alerts: Pick<Alerts, 'list'>;
  readonly deaths: Pick<DeathRecords, 'list'>;
  readonly timelines: Pick<Timelines, 'routes'>;
  /** Undefined without `--metrics-url`. */
  readonly series: Pick<Series, 'past'> | undefined;
}

/** The rule over all that is known of the last hour, with its limits, as if it had just been written. Fires nothing. Throws `storage-failed`. */
export async function explainRule(
  rule: Rule,
  about: { targetId: string; sources: ExplainSources; now: Evaluation; nowMs: number },
): Promise<RuleExplanation> {
  const { targetId, sources, now, nowMs } = about;
  const fromMs = nowMs - historyMs;
  const [from, to] = [new Date(fromMs).toISOString(), new Date(nowMs).toISOString()];
  const leaves = leavesOf(rule.when);
  const points = await readPoints(sources, { targetId, fromMs, nowMs });
  const asked = leaves.flatMap((leaf) => (leaf.kind === 'event' ? [leaf.event] : []));
  const happened = pastEvents(asked, { targetId, since: from, ...sources });
  const past: PastSources = {
    points,
    events: happened.events,
    series: leaves.some(({ kind }) => kind === 'series')
      ? sources.series?.past(targetId, { fromMs: fromMs - historyMs / 4, toMs: nowMs })
      : undefined,
    timelines: sources.timelines,
  };
  const { fired, suppressed, held, moments } = await dryRun(rule, past);
  return {
    rule: rule.name,
    targetId,
    from,
    to,
    now: { holds: now.holds, conditions: [...now.leaves] },
    readings: moments,
    held,
    wouldHaveFired: fired.slice(-maxFirings).map(({ atMs, why }) => ({ at: new Date(atMs).toISOString(), why })),
    suppressed,
    notes: [
      ...(rule.isEnabled ? [] : ['the rule is not enabled']),
      ...readingNotes(points[0]?.at, fromMs),
      ...seriesNotes(leaves, { past, hasPages: sources.series !== undefined, fromMs }),
      ...routeNotes(leaves, sources),
      ...eventNotes(happened, asked),
    ],
  };
}

/** Every single reading, down to one a second: a part takes some milliseconds then. */
async function readPoints(
  { monitor }: ExplainSources,
  { targetId, fromMs, nowMs }: { targetId: string; fromMs: number; nowMs: number },
): Promise<VitalsPoint[]> {
  const points: VitalsPoint[] = [];
  for (let atMs = fromMs; atMs < nowMs; atMs += partMs) {
    const [from, to] = [atMs, Math.min(atMs + partMs, nowMs)].map((ms) => new Date(ms).toISOString());
    points.push(...monitor.vitals({ targetId, from, to, step: 1_000 }).points);
    await setImmediate();
  }
  return points;
}

interface DryRun {
  readonly fired: readonly { readonly atMs: number; readonly why: string }[];
  readonly suppressed: { readonly cooldown: number; readonly limit: number };
  readonly held: number;
  readonly moments: number;
}

async function dryRun(rule: Rule, past: PastSources): Promise<DryRun> {
  const evaluator = new RuleEvaluator(rule.when);
  const readingsAt = pastReadings(past);
  const fired: { atMs: number; why: string }[] = [];
  const suppressed = { cooldown: 0, limit: 0 };
  const moments = momentsOf(past);
  let held = 0;
  let before: 'cooldown' | 'limit' | undefined;
  for (const [index, { atMs, isAfterGap }] of moments.entries()) {
    if (index % momentsAtOnce === 0) await setImmediate();
    if (isAfterGap) evaluator.restart();
    const evaluation = evaluator.evaluate(readingsAt(atMs), atMs);
    if (!evaluation.holds) {
      before = undefined;
      continue;
    }
    held += 1;
    const obstacle = obstacleOf(rule, fired, atMs);
    if (obstacle === undefined) {
      fired.push({ atMs, why: whyOf(evaluation) });
      evaluator.consume(atMs);
    } else if (obstacle !== before) suppressed[obstacle] += 1;
    before = obstacle;
  }
  return { fired, suppressed, held, moments: moments.length };
}

function obstacleOf({ limits }: Rule, fired: DryRun['fired'], atMs: number): 'cooldown' | 'limit' | undefined {
  const last = fired.at(-1);
  if (last !== undefined && atMs - last.atMs < limits.cooldownMs) return 'cooldown';
  return fired.filter((each) => atMs - each.atMs < limits.windowMs).length >= limits.max ? 'limit' : undefined;
}

function readingNotes(firstAt: string | undefined, fromMs: number): string[] {
  if (firstAt === undefined)
    return ['there are no readings of the last hour: the target was not attached, or --vitals-interval is 0'];
  return Date.parse(firstAt) - fromMs > lateMs ? [`readings begin at ${firstAt}: nothing is known of before`] : [];
}

function seriesNotes(
  leaves: readonly RuleLeaf[],
  { past: { series }, hasPages, fromMs }: { past: PastSources; hasPages: boolean; fromMs: number },
): string[] {
  const asked = leaves.filter((leaf) => leaf.kind === 'series');
  if (asked.length === 0) return [];
  if (!hasPages || series === undefined) return ['series are not known: no page is read without --metrics-url'];
  if (series.fromMs === undefined) return ['series are not known: no page was read in the last hour'];
  const begin =
    series.fromMs - fromMs > lateMs
      ? [`pages of metrics were read since ${new Date(series.fromMs).toISOString()} only`]
      : [];
  const absent = asked.flatMap(({ series: name, read, labels }) => {
    const base = read === 'quantile' ? `${name}_bucket` : name;
    return series.has({ name: base, labels }) ? [] : [`no page had the series ${base} with its labels`];
  });
  return [...begin, ...absent];
}

function routeNotes(leaves: readonly RuleLeaf[], { timelines }: ExplainSources): string[] {
  const asked = leaves.filter((leaf) => leaf.kind === 'route');
  if (asked.length === 0) return [];
  const { routes, from } = timelines.routes({ limit: 500 });
  const unseen = asked.filter(({ route }) => !routes.some(({ name }) => isRoute(name, route)));
  return [
    `routes are known in steps of five minutes, since ${from}: they are in memory, and end with the agent`,
    ...unseen.map(({ route }) => `no spans of ${route} came in the last hour`),
  ];
}

function eventNotes({ cut }: PastEvents, asked: readonly string[]): string[] {
  const ofAlerts = asked.filter((event) => ['leak', 'memory', 'regression'].includes(event));
  return [
    ...(ofAlerts.length === 0
      ? []
      : [`of ${ofAlerts.join(', ')} the beginnings of alerts are known, not when one grew worse or came back`]),
    ...(cut.length === 0 ? [] : [`of ${cut.join(', ')} only the last ones of the hour are looked at`]),
  ];
}
