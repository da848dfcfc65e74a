import { useEffect, useState } from 'preact/hooks';
import type { FlameClient } from '../flame/flame-client.ts';
import type { FlameUnit } from '../flame/flame-tree.ts';
import { weightText } from '../flame/flame-words.ts';
import type { RequestFilter } from '../flame/messages.ts';
import { formatShare } from '../format.ts';
import { byRoute, coveredBy, readFilter, writeFilter } from '../model/request-choice.ts';
import { usePage } from './page-context.ts';
import { ProblemNote } from './parts.tsx';
import { useAnswer } from './use-profile.ts';

const shownMax = 100;
/** Senders keep their batches for 5 s, some for 30; then a trace is settled. */
const spansComeMs = 60_000;
const againMs = 4_000;
/** By itself; a person may ask more often. */
const attemptsMax = 10;

/** "Only trace …", "only route …": by the labels that the agent gives to samples, with what is sure and what is likely of them. */
export function RequestFilterSelect(props: {
  client: FlameClient;
  profileId: string;
  unit: FlameUnit;
  filter: RequestFilter | null;
  onFilter: (filter: RequestFilter | null) => void;
  /** Of the profile; null of a file. */
  endedAtMs: number | null;
  nowMs: number;
  /** With how often it was read. */
  onRead: (times: number) => void;
}) {
  const { client, profileId, unit, filter, onFilter, onRead, endedAtMs, nowMs } = props;
  const { api } = usePage();
  const [attempt, setAttempt] = useState(1);
  const { value, isBusy, problem } = useAnswer(`requests of ${profileId} ${attempt}`, async () => {
    const { url } = await api.ticket(profileId, 'pprof');
    const source = { kind: 'stored', url: `${url}&requests=likely` } as const;
    const shares = await client.ask('requests', { source });
    onRead(attempt);
    return shares;
  });
  const isEmpty = value?.requests.length === 0;
  const mayCome = endedAtMs !== null && nowMs - endedAtMs < spansComeMs && attempt < attemptsMax;
  useEffect(() => {
    if (!isEmpty || !mayCome || isBusy) return;
    const timer = setTimeout(() => setAttempt(attempt + 1), againMs);
    return () => clearTimeout(timer);
  }, [isEmpty, mayCome, isBusy, attempt]);
  if (problem !== null) return <ProblemNote problem={problem} />;
  if (value === null) return <p class="hint">Reading whose work the samples were…</p>;
  const { requests } = value;
  if (requests.length === 0) {
    return (
      <div class="hint" role="status">
        {mayCome ? (
          'No sample of it is known to be a request’s yet: spans come some seconds after a profile, and it is read again.'
        ) : (
          <>
            No sample of it is known to be a request’s: that takes spans of the service, sent to this agent while it was
            profiled.{' '}
            <button type="button" class="quiet" disabled={isBusy} onClick={() => setAttempt(attempt + 1)}>
              Read it again
            </button>
          </>
        )}
      </div>
    );
  }
  const chosen = filter === null ? null : coveredBy(value, filter);
  return (
    <>
      <label>
        Only
        <select
          value={filter === null ? '' : writeFilter(filter)}
          onChange={(event) => onFilter(readFilter(event.currentTarget.value))}
        >
          <option value="">everything</option>
          <optgroup label="One route">
            {byRoute(requests)
              .slice(0, shownMax)
              .map(({ route, weight }) => (
                <option key={route} value={writeFilter({ by: 'route', value: route })}>
                  {route.slice(0, 120)}, {weightText(weight, unit)}
                </option>
              ))}
          </optgroup>
          <optgroup label="One trace">
            {requests.slice(0, shownMax).map(({ traceId, name, weight }) => (
              <option key={`${traceId} ${name}`} value={writeFilter({ by: 'trace', value: traceId })}>
                {traceId.slice(0, 8)}… {name.slice(0, 100)}, {weightText(weight, unit)}
              </option>
            ))}
          </optgroup>
        </select>
      </label>
      {chosen !== null && (
        <p class="hint" role="status">
          {weightText(chosen.weight, unit)}, {formatShare(chosen.share)} of what was not idle.{' '}
          {formatShare(chosen.sureShare)} of it is surely theirs
          {chosen.sureShare < 1 && ', the rest by likelihood: several requests were open then'}.
        </p>
      )}
    </>
  );
}
