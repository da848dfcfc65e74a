import type { RuleExplanation } from '../../protocol/rest/rules.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { VitalsPoint } from '../../protocol/rest/vitals.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { RuleEvaluator, type Evaluation, type RuleReadings } from './evaluate.ts';
import { leavesOf, type Rule, type RuleEvent } from './rule.ts';

const historyMs = 3_600_000;
const maxFirings = 50;

/** The rule over the readings and stalls of the last hour, with its limits, as if it had just been written. Fires nothing. */
export function explainRule(
  rule: Rule,
  about: {
    targetId: string;
    monitor: Pick<Monitor, 'vitals' | 'listStalls'>;
    now: Evaluation;
    nowMs: number;
  },
): RuleExplanation {
  const { targetId, monitor, now, nowMs } = about;
  const [from, to] = [new Date(nowMs - historyMs).toISOString(), new Date(nowMs).toISOString()];
  const { points } = monitor.vitals({ targetId, from, to, step: 5_000 });
  const { stalls } = monitor.listStalls({ targetId, since: from, limit: 100 });
  const evaluator = new RuleEvaluator(rule.when);
  const fired: { atMs: number; why: string }[] = [];
  const suppressed = { cooldown: 0, limit: 0 };
  let held = 0;
  let isSuppressed = false;
  for (const point of points) {
    const atMs = Date.parse(point.at);
    const { holds, leaves } = evaluator.evaluate(readingsAt(point, stalls, atMs), atMs);
    if (!holds) {
      isSuppressed = false;
      continue;
    }
    held += 1;
    const obstacle = obstacleOf(rule, fired, atMs);
    if (obstacle === undefined) {
      fired.push({ atMs, why: leaves.flatMap((leaf) => (leaf.holds ? [leaf.text] : [])).join('; ') });
      evaluator.consume(atMs);
    } else if (!isSuppressed) suppressed[obstacle] += 1;
    isSuppressed = obstacle !== undefined;
  }
  return {
    rule: rule.name,
    targetId,
    from,
    to,
    now: { holds: now.holds, conditions: [...now.leaves] },
    readings: points.length,
    held,
    wouldHaveFired: fired.slice(-maxFirings).map(({ atMs, why }) => ({ at: new Date(atMs).toISOString(), why })),
    suppressed,
    notes: notesOf(rule, points.length),
  };
}

function obstacleOf(
  { limits }: Rule,
  fired: readonly { atMs: number }[],
  atMs: number,
): 'cooldown' | 'limit' | undefined {
  const last = fired.at(-1);
  if (last !== undefined && atMs - last.atMs < limits.cooldownMs) return 'cooldown';
  return fired.filter((each) => atMs - each.atMs < limits.windowMs).length >= limits.max ? 'limit' : undefined;
}

function readingsAt(point: VitalsPoint, stalls: readonly Stall[], atMs: number): RuleReadings {
  return {
    metric: (name) => point[name],
    series: () => null,
    route: () => null,
    event: (event) => {
      const kind = stallKinds[event];
      const last = stalls.find(
        (stall) => stall.kind === kind && stall.thread === 'main' && Date.parse(stall.noticedAt) <= atMs,
      );
      return last === undefined ? undefined : { agoMs: atMs - Date.parse(last.noticedAt), title: last.summary };
    },
  };
}

const stallKinds: Partial<Record<RuleEvent, Stall['kind']>> = { stall: 'blocked', saturation: 'saturated' };

function notesOf({ when, isEnabled }: Rule, readings: number): string[] {
  const leaves = leavesOf(when);
  const notes: string[] = [];
  if (!isEnabled) notes.push('the rule is not enabled');
  if (readings === 0) notes.push('there are no readings of the last hour');
  if (leaves.some(({ kind }) => kind === 'series'))
    notes.push('series of the metrics page count as not known in the dry run');
  if (leaves.some(({ kind }) => kind === 'route'))
    notes.push('routes are known for now only: they count as not known in the dry run');
  const others = leaves.flatMap((leaf) =>
    leaf.kind === 'event' && stallKinds[leaf.event] === undefined ? [leaf.event] : [],
  );
  if (others.length > 0) notes.push(`of events the dry run knows stalls and saturation only, not ${others.join(', ')}`);
  return notes;
}
