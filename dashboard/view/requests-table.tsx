import { useEffect, useState } from 'preact/hooks';
import type { Timeline } from '../../protocol/rest/timelines.ts';
import { formatCount, formatDuration } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { isFiltered, type RequestQuery } from '../model/request-query.ts';
import { requestStatus } from '../model/request-words.ts';
import { KindShares } from './kind-shares.tsx';
import { setQuery } from './navigation.ts';
import { NoSpans } from './no-spans.tsx';
import { useNow, usePage } from './page-context.ts';
import { Badge, ProblemNote, Time } from './parts.tsx';
import { RequestsFilter } from './requests-filter.tsx';
import { useFresh } from './use-fresh.ts';
import { Waterfall } from './waterfall.tsx';

const pageLength = 50;

/** The kept requests, a page at a time; the first page goes on while nobody reads one of them. */
export function RequestsTable({ state, query }: { state: PageState; query: RequestQuery }) {
  const { api } = usePage();
  const nowMs = useNow(state.clockOffsetMs, 30_000);
  const { order, status, route, minDuration, trace } = query;
  const filter = { order, status, route, minDuration, limit: pageLength };
  const filterKey = JSON.stringify(filter);
  /** Of the pages before this one, the first page's left out. */
  const [cursors, setCursors] = useState<readonly string[]>([]);
  useEffect(() => setCursors([]), [filterKey]);
  const cursor = cursors.at(-1);
  const { value, problem } = useFresh({
    key: `${filterKey} ${cursor ?? ''}`,
    // The list stands still under the reader's eyes.
    tick: trace === undefined && cursor === undefined ? state.requests?.requests : 'read',
    read: (signal) => api.timelines({ ...filter, cursor }, signal),
  });
  const timelines = value?.timelines ?? [];
  const isListed = timelines.some(({ traceId }) => traceId === trace);
  return (
    <>
      <RequestsFilter query={query} />
      <ProblemNote problem={problem} />
      {trace !== undefined && value !== null && !isListed && (
        <OneRequest traceId={trace} tick={state.requests?.spans} nowMs={nowMs} />
      )}
      {timelines.length > 0 && <Rows timelines={timelines} openId={trace} nowMs={nowMs} />}
      {value !== null && timelines.length === 0 && cursor === undefined && (
        <>{isFiltered(query) ? <p class="empty">No kept request fits the filter.</p> : <NoSpans state={state} />}</>
      )}
      {value !== null && (value.nextCursor !== null || cursor !== undefined) && (
        <Pages
          first={cursors.length * pageLength + 1}
          shown={timelines.length}
          total={value.total}
          onNewer={cursors.length === 0 ? null : () => setCursors(cursors.slice(0, -1))}
          onOlder={value.nextCursor === null ? null : () => setCursors([...cursors, value.nextCursor ?? ''])}
        />
      )}
    </>
  );
}

function Rows(props: { timelines: readonly Timeline[]; openId: string | undefined; nowMs: number }) {
  const { timelines, openId, nowMs } = props;
  return (
    <table class="profiles requests">
      <thead>
        <tr>
          <th scope="col">Started</th>
          <th scope="col">Request</th>
          <th scope="col">Outcome</th>
          <th scope="col" class="num">
            Duration
          </th>
          <th scope="col">Where the time went</th>
          <th scope="col">
            <span class="sr">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {timelines.map((timeline) => (
          <Row key={timeline.traceId} timeline={timeline} nowMs={nowMs} isOpen={timeline.traceId === openId} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ timeline, nowMs, isOpen }: { timeline: Timeline; nowMs: number; isOpen: boolean }) {
  const { tone, label } = requestStatus(timeline);
  return (
    <>
      <tr>
        <td>
          <Time iso={timeline.startedAt} nowMs={nowMs} />
        </td>
        <td class="request-name">
          <code>
            <bdi>{timeline.name}</bdi>
          </code>
        </td>
        <td>
          <Badge tone={tone}>{label}</Badge>
        </td>
        <td class="num">{formatDuration(timeline.durationMs)}</td>
        <td class="time-shares">
          <KindShares totals={timeline.totals} summary={timeline.summary} />
        </td>
        <td class="actions">
          <button
            type="button"
            aria-expanded={isOpen}
            aria-label={`Waterfall of ${timeline.name}`}
            onClick={() => setQuery({ trace: isOpen ? null : timeline.traceId })}
          >
            Waterfall <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span>
          </button>
        </td>
      </tr>
      {isOpen && (
        <tr class="below">
          <td colSpan={6}>
            <Waterfall traceId={timeline.traceId} />
          </td>
        </tr>
      )}
    </>
  );
}

/** One that a link leads to, and that is on another page. */
function OneRequest({ traceId, tick, nowMs }: { traceId: string; tick: unknown; nowMs: number }) {
  const head = (timeline: Timeline) => (
    <p class="request-name">
      <code>
        <bdi>{timeline.name}</bdi>
      </code>{' '}
      <Badge tone={requestStatus(timeline).tone}>{requestStatus(timeline).label}</Badge>{' '}
      <strong>{formatDuration(timeline.durationMs)}</strong>{' '}
      <span class="dim">
        started <Time iso={timeline.startedAt} nowMs={nowMs} />
      </span>
    </p>
  );
  return (
    <section class="card" aria-label="The request of the link">
      <Waterfall traceId={traceId} tick={tick} head={head} />
      <p class="act">
        <button type="button" onClick={() => setQuery({ trace: null })}>
          Close
        </button>
      </p>
    </section>
  );
}

function Pages(props: {
  first: number;
  shown: number;
  total: number;
  onNewer: (() => void) | null;
  onOlder: (() => void) | null;
}) {
  const { first, shown, total, onNewer, onOlder } = props;
  return (
    <nav class="act" aria-label="Pages of requests">
      <button type="button" disabled={onNewer === null} onClick={() => onNewer?.()}>
        Back
      </button>
      <button type="button" disabled={onOlder === null} onClick={() => onOlder?.()}>
        Further
      </button>
      <span class="dim" role="status">
        {formatCount(first)} to {formatCount(first + shown - 1)} of {formatCount(total)} kept requests
      </span>
    </nav>
  );
}
