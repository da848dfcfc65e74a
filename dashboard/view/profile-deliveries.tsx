import type { Delivery } from '../../protocol/rest/egress.ts';
import { plural } from '../format.ts';
import { usePage } from './page-context.ts';
import { Badge, ProblemNote, Time } from './parts.tsx';
import { useFresh } from './use-fresh.ts';

const states = {
  queued: { tone: 'idle', word: 'waits for' },
  sent: { tone: 'good', word: 'sent to' },
  dropped: { tone: 'bad', word: 'not sent to' },
} as const;

/** Where a profile was sent, or waits to be; nothing where nothing is sent. */
export function ProfileDeliveries({ profileId, nowMs }: { profileId: string; nowMs: number }) {
  const { api } = usePage();
  // A minute is soon enough for what waits.
  const tick = Math.floor(nowMs / 60_000);
  const { value, problem } = useFresh({ key: profileId, tick, read: (signal) => api.egress(signal) });
  if (problem !== null) return <ProblemNote problem={problem} />;
  const deliveries = value?.deliveries.filter((delivery) => delivery.profileId === profileId) ?? [];
  if (deliveries.length === 0) return null;
  return (
    <ul class="features" aria-label="Sent to">
      {deliveries.map((delivery) => (
        <li key={delivery.destination}>
          <DeliveryLine delivery={delivery} nowMs={nowMs} />
        </li>
      ))}
    </ul>
  );
}

function DeliveryLine({ delivery, nowMs }: { delivery: Delivery; nowMs: number }) {
  const { destination, state, at, attempts, reason } = delivery;
  const { tone, word } = states[state];
  return (
    <>
      <Badge tone={tone}>{state}</Badge> {word} <strong>{destination}</strong> <Time iso={at} nowMs={nowMs} />
      {state !== 'sent' && reason !== null && (
        <p>
          {reason}; {plural(attempts, 'attempt')}
        </p>
      )}
    </>
  );
}
