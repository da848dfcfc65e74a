import type { FlameClient } from '../flame/flame-client.ts';
import type { FlameUnit } from '../flame/flame-tree.ts';
import { weightText } from '../flame/flame-words.ts';
import type { RequestFilter, RequestShare } from '../flame/messages.ts';
import { usePage } from './page-context.ts';
import { ProblemNote } from './parts.tsx';
import { useAnswer } from './use-profile.ts';

const shownMax = 100;

/** "Only trace …", "only route …": by the labels that the agent gives to the samples whose request is sure. */
export function RequestFilterSelect(props: {
  client: FlameClient;
  profileId: string;
  unit: FlameUnit;
  filter: RequestFilter | null;
  onFilter: (filter: RequestFilter | null) => void;
  onReady: (isReady: boolean) => void;
}) {
  const { client, profileId, unit, filter, onFilter, onReady } = props;
  const { api } = usePage();
  const { value, isBusy, problem } = useAnswer(`requests of ${profileId}`, async () => {
    const { url } = await api.ticket(profileId, 'pprof');
    const requests = await client.ask('requests', { source: { kind: 'stored', url } });
    onReady(true);
    return requests;
  });
  if (problem !== null) return <ProblemNote problem={problem} />;
  if (isBusy || value === null) return <p class="hint">Reading whose work the samples were…</p>;
  if (value.length === 0) {
    return (
      <p class="hint">
        No sample of it is surely a request’s: that takes spans of the service, sent to this agent while it was
        profiled.
      </p>
    );
  }
  const routes = byRoute(value);
  const keyOf = ({ by, value: wanted }: RequestFilter): string => `${by}:${wanted}`;
  return (
    <label>
      Only
      <select
        value={filter === null ? '' : keyOf(filter)}
        onChange={(event) => onFilter(readFilter(event.currentTarget.value))}
      >
        <option value="">everything</option>
        <optgroup label="One route">
          {routes.slice(0, shownMax).map(({ name, weight }) => (
            <option key={name} value={keyOf({ by: 'route', value: name })}>
              {name.slice(0, 120)}, {weightText(weight, unit)}
            </option>
          ))}
        </optgroup>
        <optgroup label="One trace">
          {value.slice(0, shownMax).map(({ traceId, name, weight }) => (
            <option key={`${traceId} ${name}`} value={keyOf({ by: 'trace', value: traceId })}>
              {traceId.slice(0, 8)}… {name.slice(0, 100)}, {weightText(weight, unit)}
            </option>
          ))}
        </optgroup>
      </select>
    </label>
  );
}

/** As it stands in the link: `route:GET /invoices/:id`. */
export function readFilter(text: string | undefined): RequestFilter | null {
  const found = /^(trace|route):(.*)$/su.exec(text ?? '');
  return found === null ? null : { by: found[1] as RequestFilter['by'], value: found[2] ?? '' };
}

function byRoute(requests: readonly RequestShare[]): { name: string; weight: number }[] {
  const sums = new Map<string, number>();
  for (const { name, weight } of requests) sums.set(name, (sums.get(name) ?? 0) + weight);
  return [...sums].map(([name, weight]) => ({ name, weight })).sort((a, b) => b.weight - a.weight);
}
