import type { RuleView } from '../../protocol/rest/rules.ts';
import type { Series } from '../baseline/series.ts';
import type { Timelines } from '../requests/timelines.ts';
import { leavesOf, whenText, type Rule } from './rule.ts';
import type { RuleStates } from './rule-states.ts';
import type { RuleWatch } from './rule-watch.ts';
import { isRoute } from './target-readings.ts';

const shownFirings = 10;

export interface DescribeSources {
  readonly states: RuleStates;
  readonly watch: Pick<RuleWatch, 'last'>;
  readonly series: Pick<Series, 'latest'> | undefined;
  readonly timelines: Pick<Timelines, 'routes'>;
}

/** One rule of `GET /rules`, for the targets asked about. */
export function describeRule(rule: Rule, targetIds: readonly string[], sources: DescribeSources): RuleView {
  const { name, isEnabled, when, capture, limits, keep, alert } = rule;
  return {
    name,
    enabled: isEnabled,
    when: whenText(when),
    capture: capture?.kind ?? null,
    limits: { ...limits },
    keep: { pinned: keep.isPinned, labels: { ...keep.labels } },
    alert,
    notes: notesOf(rule, targetIds, sources),
    targets: targetIds.map((targetId) => {
      const state = sources.states.of(name, targetId);
      const last = sources.watch.last(name, targetId);
      return {
        targetId,
        state: state.obstacle(rule) ?? (last === undefined ? 'unknown' : last.holds ? 'holds' : 'idle'),
        waitMs: Math.round(state.waitMs(rule)),
        conditions: [...(last?.leaves ?? [])],
        total: state.record.total,
        suppressed: state.record.suppressed,
        firings: state.record.firings.slice(0, shownFirings),
      };
    }),
  };
}

function notesOf({ when }: Rule, targetIds: readonly string[], { series, timelines }: DescribeSources): string[] {
  return leavesOf(when).flatMap((leaf): string[] => {
    if (leaf.kind === 'series') {
      if (series === undefined) return [`${leaf.series} needs --metrics-url`];
      const base = leaf.read === 'quantile' ? `${leaf.series}_bucket` : leaf.series;
      const isThere = targetIds.some((id) => series.latest(id)?.samples.some((sample) => sample.series.name === base));
      return isThere ? [] : [`no metrics page that was read has the series ${base}`];
    }
    if (leaf.kind !== 'route') return [];
    const { routes } = timelines.routes({ limit: 500 });
    const isSeen = routes.some(({ name }) => isRoute(name, leaf.route));
    return isSeen ? [] : [`no spans of ${leaf.route} came in the last hour`];
  });
}
