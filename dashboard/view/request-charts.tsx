import { useMemo } from 'preact/hooks';
import type { PageState } from '../model/page-state.ts';
import { requestPlans, requestsObstacle } from '../model/request-charts.ts';
import type { TimeRange } from '../model/time-range.ts';
import type { TimeAxis } from './chart.tsx';
import { Chart } from './chart.tsx';
import { hrefTo } from './navigation.ts';
import { Marked, ProblemNote } from './parts.tsx';
import { useRequestHistory } from './use-request-history.ts';

/** Rate, failures and latency of the requests that spans told of. */
export function RequestCharts(props: {
  state: PageState;
  targetId: string;
  /** Of it the axis shows a part. */
  asked: TimeRange;
  axis: TimeAxis;
}) {
  const { state, targetId, asked, axis } = props;
  const { range } = axis;
  const { value: history, problem } = useRequestHistory({ state, targetId, range: asked });
  const names = JSON.stringify(history?.routes ?? []);
  const plans = useMemo(() => requestPlans(JSON.parse(names) as string[]), [names]);
  const otlp = state.info?.features.find(({ name }) => name === 'otlp');
  const isOneOfSeveral = state.targets.length > 1;
  const obstacle = history === null ? null : requestsObstacle(history, { otlp, range, isOneOfSeveral });
  return (
    <section aria-labelledby="request-charts-title">
      <div class="title">
        <h4 id="request-charts-title">Requests</h4>
        <a href={hrefTo('/requests')}>Each of them</a>
      </div>
      <ProblemNote problem={problem} />
      {history === null && problem === null && <p class="hint">Reading…</p>}
      {obstacle !== null && (
        <p class="empty">
          <Marked text={obstacle} />
        </p>
      )}
      {history !== null && obstacle === null && (
        <div class="charts">
          {plans.map((plan) => (
            <Chart key={plan.id} plan={plan} history={history} {...axis} />
          ))}
        </div>
      )}
    </section>
  );
}
