import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { formatAgo, plural } from '../format.ts';
import { stallLength, stallPlace, stallVerdict, vitalsRows } from '../model/vitals-words.ts';
import { Facts, Time } from './parts.tsx';
import { TraceLink } from './trace-link.tsx';

const shownStalls = 5;

/** How a target is now, and what blocked its event loop lately. Charts of the same numbers are elsewhere. */
export function VitalsBlock(props: { vitals: Vitals | undefined; stalls: readonly Stall[]; nowMs: number }) {
  const { vitals, stalls, nowMs } = props;
  return (
    <>
      {vitals?.error && (
        <p class="note warn">
          <strong>No vitals</strong> {vitals.error.message}
        </p>
      )}
      {vitals && <Facts rows={vitalsRows(vitals)} />}
      {stalls.length > 0 && (
        <details class="stalls" open={stalls.some(({ state }) => state === 'ongoing')}>
          <summary>
            {plural(stalls.length, 'stall')}, the last {formatAgo(nowMs - Date.parse(stalls[0]?.startedAt ?? ''))}
          </summary>
          <ul>
            {stalls.slice(0, shownStalls).map((stall) => (
              <StallLine key={stall.id} stall={stall} nowMs={nowMs} />
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function StallLine({ stall, nowMs }: { stall: Stall; nowMs: number }) {
  const place = stallPlace(stall);
  return (
    <li class={stall.state === 'ongoing' ? 'bad-text' : undefined}>
      <Time iso={stall.startedAt} nowMs={nowMs} /> {stallLength(stall)}: {stallVerdict(stall)}{' '}
      {place !== null && <code title={stall.dominant?.url}>{place}</code>}
      {stall.span !== null && (
        <>
          {' '}
          in {stall.span.route ?? stall.span.name}, trace <TraceLink traceId={stall.span.traceId} />
        </>
      )}
    </li>
  );
}
