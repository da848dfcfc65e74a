import { cpuDurationMs, samplingDurationMs } from '../../protocol/rest/limits.ts';
import { issueText, readLocatedList, type FileProblem } from '../options/located-list.ts';
import { contradictionsOf } from './contradictions.ts';
import type { Rule, RuleCapture, RuleLeaf, RuleWhen } from './rule.ts';
import { maxRules, ruleShape, type CaptureInput, type RuleInput, type WhenInput } from './rule-schema.ts';

const defaultLimits = { cooldownMs: 600_000, max: 12, windowMs: 86_400_000 };

export type RuleProblem = FileProblem;

export interface RulesReading {
  readonly rules: readonly Rule[];
  /** Empty, or none of the rules may be used. */
  readonly problems: readonly RuleProblem[];
}

/** The `rules` of a configuration file. */
export async function readRules(text: string): Promise<RulesReading> {
  const list = await readLocatedList(text, { key: 'rules', max: maxRules });
  if (!('items' in list)) return { rules: [], problems: [list] };
  const { items, lineOf } = list;
  const problems: RuleProblem[] = [];
  const names = new Set<string>();
  const read = items.flatMap((item, index): Rule[] => {
    const parsed = ruleShape.safeParse(item);
    if (!parsed.success) {
      for (const issue of parsed.error.issues)
        problems.push({ line: lineOf(['rules', index, ...issue.path]), message: issueText(issue) });
      return [];
    }
    const rule = toRule(parsed.data);
    for (const message of contradictionsOf(rule))
      problems.push({ line: lineOf(['rules', index]), message: `rule ${rule.name}: ${message}` });
    if (names.has(rule.name))
      problems.push({ line: lineOf(['rules', index, 'name']), message: `there are two rules named ${rule.name}` });
    names.add(rule.name);
    return [rule];
  });
  return { rules: problems.length > 0 ? [] : read, problems: problems.slice(0, 20) };
}

function toRule(input: RuleInput): Rule {
  const { name, enabled = true, when, capture, limits = {}, keep = {}, alert = 'info' } = input;
  return {
    name,
    isEnabled: enabled,
    when: toWhen(when),
    capture: capture === undefined ? undefined : toCapture(capture),
    limits: {
      cooldownMs: limits.cooldown ?? defaultLimits.cooldownMs,
      max: limits.max ?? defaultLimits.max,
      windowMs: limits.window ?? Math.max(defaultLimits.windowMs, limits.cooldown ?? 0),
    },
    keep: { isPinned: keep.pin ?? false, labels: keep.labels ?? {} },
    alert,
  };
}

function toWhen(input: WhenInput): RuleWhen {
  if ('all' in input) return { kind: 'all', of: input.all.map(toWhen) };
  if ('any' in input) return { kind: 'any', of: input.any.map(toWhen) };
  return toLeaf(input);
}

function toLeaf(input: Exclude<WhenInput, { all: WhenInput[] } | { any: WhenInput[] }>): RuleLeaf {
  if ('event' in input) return { kind: 'event', event: input.event };
  const bounds = { above: input.above ?? null, below: input.below ?? null, forMs: input.for ?? 0 };
  if ('metric' in input) return { kind: 'metric', metric: input.metric, ...bounds };
  if ('series' in input) {
    const { series, labels = {}, quantile = 0.95 } = input;
    const read = input.read ?? (input.quantile === undefined ? 'value' : 'quantile');
    return { kind: 'series', series, labels, read, quantile, ...bounds };
  }
  return { kind: 'route', route: input.route, read: input.read, minRequests: input['min-requests'] ?? 20, ...bounds };
}

function toCapture(input: CaptureInput): RuleCapture {
  switch (input.kind) {
    case 'cpu': {
      const { duration = cpuDurationMs.default, interval, thread = 'main' } = input;
      return { kind: 'cpu', durationMs: duration, intervalUs: interval, thread };
    }
    case 'heap-sampling': {
      const { duration = samplingDurationMs.default, mode = 'live', interval } = input;
      return { kind: 'heap-sampling', durationMs: duration, mode, intervalBytes: interval };
    }
    case 'recorder':
      return { kind: 'recorder', beforeMs: input.before ?? 60_000, afterMs: input.after ?? 15_000 };
    default:
      return { kind: input.kind };
  }
}
