import { leavesOf, subjectOf, type Rule, type RuleLeaf, type RuleWhen } from './rule.ts';

/** A snapshot pauses its target for seconds, however rare the rule thinks it is. */
const snapshotCooldownMs = 600_000;
const maxLeaves = 16;

/** What is wrong with a rule although each of its values is right. */
export function contradictionsOf(rule: Rule): string[] {
  const { when, capture, limits } = rule;
  const problems: string[] = [...impossible(when)];
  if (leavesOf(when).length > maxLeaves) problems.push(`it has over ${maxLeaves} conditions`);
  for (const leaf of leavesOf(when)) problems.push(...leafProblems(leaf));
  const durationMs = capture !== undefined && 'durationMs' in capture ? capture.durationMs : 0;
  if (limits.cooldownMs < durationMs)
    problems.push(
      `its cooldown of ${limits.cooldownMs / 1000} s is shorter than its capture of ${durationMs / 1000} s: it would capture all the time`,
    );
  if (capture?.kind === 'heap-snapshot' && limits.cooldownMs < snapshotCooldownMs)
    problems.push(
      `heap snapshots pause the target: a cooldown of at least ${snapshotCooldownMs / 60_000} min is needed`,
    );
  if (limits.windowMs < limits.cooldownMs)
    problems.push(
      `its window of ${limits.windowMs / 1000} s is shorter than its cooldown of ${limits.cooldownMs / 1000} s`,
    );
  const endsTarget = onlyExit(when);
  if (endsTarget && capture !== undefined && capture.kind !== 'recorder')
    problems.push(`after the exit there is no process to take ${capture.kind} of; the capture can only be recorder`);
  if (capture === undefined && rule.alert === 'off')
    problems.push('it has no capture and its alert is off: it does nothing');
  return problems;
}

function leafProblems(leaf: RuleLeaf): string[] {
  if (leaf.kind === 'event') return [];
  const { above, below } = leaf;
  if (above === null && below === null) return [`${subjectOf(leaf)} needs above or below`];
  if (above !== null && below !== null && above >= below)
    return [`${subjectOf(leaf)} cannot be above ${above} and below ${below}`];
  if (leaf.kind === 'route' && leaf.read === 'errors' && ((above ?? 0) >= 1 || (below ?? 1) <= 0))
    return [`errors of ${leaf.route} is a share, 0 to 1`];
  if (leaf.kind === 'metric' && leaf.metric === 'utilization' && (above ?? 0) >= 1)
    return ['utilization is a share, 0 to 1: it is never above 1'];
  return [];
}

/** `all` of conditions on one subject that no value fulfils. */
function impossible(when: RuleWhen): string[] {
  if (when.kind === 'any') return when.of.flatMap(impossible);
  if (when.kind !== 'all') return [];
  const ranges = new Map<string, { above: number; below: number }>();
  for (const leaf of when.of) {
    if (leaf.kind === 'all' || leaf.kind === 'any' || leaf.kind === 'event') continue;
    const subject = subjectOf(leaf);
    const range = ranges.get(subject) ?? { above: -Infinity, below: Infinity };
    range.above = Math.max(range.above, leaf.above ?? -Infinity);
    range.below = Math.min(range.below, leaf.below ?? Infinity);
    ranges.set(subject, range);
  }
  return [
    ...when.of.flatMap(impossible),
    ...[...ranges]
      .filter(([, { above, below }]) => above >= below)
      .map(([subject, { above, below }]) => `${subject} cannot be above ${above} and below ${below} at once`),
  ];
}

function onlyExit(when: RuleWhen): boolean {
  if (when.kind === 'all') return when.of.some(onlyExit);
  if (when.kind === 'any') return when.of.every(onlyExit);
  return when.kind === 'event' && (when.event === 'exit' || when.event === 'death');
}
