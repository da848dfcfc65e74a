import type { RouteList } from '../../protocol/rest/timelines.ts';
import { formatCount, formatDuration, formatShare, plural } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { KindShares } from './kind-shares.tsx';
import { usePage } from './page-context.ts';
import { ProblemNote } from './parts.tsx';
import { NoSpans } from './no-spans.tsx';
import { useFresh } from './use-fresh.ts';

export function RoutesTable({ state, onRoute }: { state: PageState; onRoute: (route: string) => void }) {
  const { api } = usePage();
  const { value, problem } = useFresh({
    key: 'routes',
    tick: state.requests?.requests,
    read: (signal) => api.routes(signal),
  });
  if (problem !== null) return <ProblemNote problem={problem} />;
  if (value === null) return null;
  if (value.routes.length === 0) {
    return value.otherRoots === 0 ? <NoSpans state={state} /> : <p class="empty">{otherRootsText(value)}</p>;
  }
  return (
    <>
      <SamplingNote sampling={value.sampling} />
      <table class="profiles requests">
        <thead>
          <tr>
            <th scope="col">Route</th>
            {['Count', 'Per second', 'Failed', 'p50', 'p95', 'p99', 'Database'].map((name) => (
              <th key={name} scope="col" class="num">
                {name}
              </th>
            ))}
            <th scope="col">Where the time went</th>
          </tr>
        </thead>
        <tbody>
          {value.routes.map((route) => (
            <tr key={`${route.kind} ${route.name}`}>
              <td class="request-name">
                <button type="button" class="quiet" onClick={() => onRoute(route.name)}>
                  {route.name}
                </button>
              </td>
              <td class="num" data-label="Count">
                {formatCount(route.count)}
              </td>
              <td class="num" data-label="Per second">
                {Number(route.ratePerSecond.toPrecision(2))}
              </td>
              <td class={`num${route.errors > 0 ? ' bad-text' : ''}`} data-label="Failed">
                {route.errors === 0 ? '0' : `${formatCount(route.errors)} (${formatShare(route.errorShare)})`}
              </td>
              <td class="num" data-label="p50">
                {formatDuration(route.p50Ms)}
              </td>
              <td class="num" data-label="p95">
                {formatDuration(route.p95Ms)}
              </td>
              <td class="num" data-label="p99">
                {formatDuration(route.p99Ms)}
              </td>
              <td class="num" data-label="Database">
                {formatShare(route.databaseShare)}
              </td>
              <td class="time-shares">
                <KindShares totals={route.totals} summary={route.summary} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">The last hour. Quantiles are within {formatShare(value.quantileErrorShare)} of the exact ones.</p>
      {value.otherRoots > 0 && <p class="hint">{otherRootsText(value)}</p>}
    </>
  );
}

function otherRootsText({ otherRoots }: RouteList): string {
  return `${plural(otherRoots, 'trace')} without a request to this service, such as a job, not counted here: see Hot functions.`;
}

export function SamplingNote({ sampling }: { sampling: RouteList['sampling'] }) {
  if (sampling === null) return null;
  return <p class="note warn">Counts are of received requests: {sampling.reason}.</p>;
}
