import { useState } from 'preact/hooks';
import type { Timeline } from '../../protocol/rest/timelines.ts';
import { formatCount, formatDuration } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { requestStatus } from '../model/request-words.ts';
import { KindShares } from './kind-shares.tsx';
import { useNow, usePage } from './page-context.ts';
import { Badge, ProblemNote, Time } from './parts.tsx';
import { NoSpans } from './no-spans.tsx';
import { useFresh } from './use-fresh.ts';
import { Waterfall } from './waterfall.tsx';

const shownRows = 30;

interface Filter {
  readonly order: 'newest' | 'slowest';
  readonly status: '' | 'failed';
  readonly minDuration: string;
}

export function RequestsTable(props: { state: PageState; route: string; onRoute: (route: string) => void }) {
  const { state, route, onRoute } = props;
  const { api } = usePage();
  const nowMs = useNow(state.clockOffsetMs, 30_000);
  const [filter, setFilter] = useState<Filter>({ order: 'newest', status: '', minDuration: '' });
  const [openId, setOpenId] = useState<string | null>(null);
  const { order, status, minDuration } = filter;
  const query = {
    order,
    status: status || undefined,
    route: route || undefined,
    minDuration: /^\d{1,7}$/.test(minDuration) ? minDuration : undefined,
    limit: shownRows,
  };
  const { value, problem } = useFresh({
    key: JSON.stringify(query),
    // The list stands still under the reader's eyes while one request is open.
    tick: openId === null ? state.requests?.requests : 'open',
    read: (signal) => api.timelines(query, signal),
  });
  const isFiltered = route !== '' || status !== '' || minDuration !== '';
  return (
    <>
      <div class="fields filter">
        <label class="field">
          Order
          <select
            value={order}
            onChange={(event) => setFilter({ ...filter, order: event.currentTarget.value as Filter['order'] })}
          >
            <option value="newest">Newest first</option>
            <option value="slowest">Slowest first</option>
          </select>
        </label>
        <label class="field">
          Outcome
          <select
            value={status}
            onChange={(event) => setFilter({ ...filter, status: event.currentTarget.value as Filter['status'] })}
          >
            <option value="">All</option>
            <option value="failed">Failed</option>
          </select>
        </label>
        <FilterText label="Route" value={route} placeholder="GET /users/:id" onValue={onRoute} />
        <FilterText
          label="At least (ms)"
          value={minDuration}
          onValue={(value) => setFilter({ ...filter, minDuration: value })}
        />
      </div>
      <ProblemNote problem={problem} />
      {value === null ? null : value.timelines.length > 0 ? (
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
            {value.timelines.map((timeline) => (
              <Row
                key={timeline.traceId}
                timeline={timeline}
                nowMs={nowMs}
                isOpen={timeline.traceId === openId}
                onToggle={() => setOpenId(timeline.traceId === openId ? null : timeline.traceId)}
              />
            ))}
          </tbody>
        </table>
      ) : isFiltered ? (
        <p class="empty">No kept request fits the filter.</p>
      ) : (
        <NoSpans state={state} />
      )}
      {value !== null && value.total > shownRows && (
        <p class="hint">
          {shownRows} of {formatCount(value.total)} kept requests; the API has all of them.
        </p>
      )}
    </>
  );
}

/** Takes effect with Enter or when the focus leaves. What is being typed is its own: the page is drawn anew at any moment. */
function FilterText(props: { label: string; value: string; placeholder?: string; onValue: (value: string) => void }) {
  const { label, value, placeholder, onValue } = props;
  const [text, setText] = useState(value);
  return (
    <label class="field">
      {label}
      <input
        value={text}
        placeholder={placeholder}
        onInput={(event) => setText(event.currentTarget.value)}
        onChange={(event) => onValue(event.currentTarget.value.trim())}
      />
    </label>
  );
}

function Row(props: { timeline: Timeline; nowMs: number; isOpen: boolean; onToggle: () => void }) {
  const { timeline, nowMs, isOpen, onToggle } = props;
  const { tone, label } = requestStatus(timeline);
  return (
    <>
      <tr>
        <td>
          <Time iso={timeline.startedAt} nowMs={nowMs} />
        </td>
        <td class="request-name">
          <code>{timeline.name}</code>
        </td>
        <td>
          <Badge tone={tone}>{label}</Badge>
        </td>
        <td class="num">{formatDuration(timeline.durationMs)}</td>
        <td>
          <KindShares totals={timeline.totals} summary={timeline.summary} />
        </td>
        <td class="actions">
          <button type="button" aria-expanded={isOpen} aria-label={`Waterfall of ${timeline.name}`} onClick={onToggle}>
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
