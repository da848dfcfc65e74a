import { useEffect, useMemo, useState } from 'preact/hooks';
import type { PageState } from '../model/page-state.ts';
import type { RequestHistory } from '../model/request-charts.ts';
import { appendRequests, noRequestHistory, requestPlans, requestsObstacle } from '../model/request-charts.ts';
import type { TimeAxis } from './chart.tsx';
import { Chart } from './chart.tsx';
import { hrefTo } from './navigation.ts';
import { useNow, usePage } from './page-context.ts';
import { useFresh } from './use-fresh.ts';

const lookEveryMs = 5_000;
/** Quantiles are of steps of five minutes: more often they are the same. */
const routesEveryMs = 10_000;
const routesOfMs = 5 * 60_000;

/** Of this page, so that another view does not cost what was seen; bounded by the model. */
let seen: RequestHistory = noRequestHistory;

/** Rate, failures and latency of the requests that spans told of. */
export function RequestCharts({ state, axis }: { state: PageState; axis: TimeAxis }) {
  const { api } = usePage();
  const nowMs = useNow(state.clockOffsetMs, lookEveryMs);
  const [history, setHistory] = useState(seen);
  const otlp = state.info?.features.find(({ name }) => name === 'otlp');
  const isWatched = state.connection.state === 'live' && otlp?.state !== 'off' && state.requests !== null;
  const routes = useFresh({
    key: 'routes',
    tick: isWatched ? Math.floor(nowMs / routesEveryMs) : 'never',
    read: async (signal) =>
      isWatched ? (await api.recentRoutes(new Date(nowMs - routesOfMs).toISOString(), signal)).routes : [],
  });
  useEffect(() => {
    if (!isWatched || state.requests === null) return;
    seen = appendRequests(seen, { atMs: nowMs, counts: state.requests, routes: routes.value ?? [] });
    setHistory(seen);
  }, [nowMs, isWatched]);
  const names = JSON.stringify((routes.value ?? []).map(({ name }) => name).slice(0, 3));
  const plans = useMemo(() => requestPlans(JSON.parse(names) as string[]), [names]);
  const obstacle = requestsObstacle(history, { otlp, counts: state.requests, range: axis.range });
  return (
    <section aria-labelledby="request-charts-title">
      <div class="title">
        <h4 id="request-charts-title">Requests</h4>
        {state.targets.length > 1 && <span class="dim">of all targets together</span>}
        <a href={hrefTo('/requests')}>Each of them</a>
      </div>
      {obstacle === null ? (
        <div class="charts">
          {plans.map((plan) => (
            <Chart key={plan.id} plan={plan} history={history} {...axis} />
          ))}
        </div>
      ) : (
        <p class="empty">{obstacle}</p>
      )}
    </section>
  );
}
