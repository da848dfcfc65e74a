import { Counter, Gauge, Histogram } from 'prom-client';
import type { Egress } from '../egress/egress.ts';
import type { Shipment } from '../egress/sender.ts';
import type { Metrics } from './metrics.ts';

/** What was sent, what was not and why, and what waits; sums are read when they are scraped. */
export function observeEgress({ registry }: Metrics, egress: Pick<Egress, 'sums' | 'on' | 'off'>): Disposable {
  const registers = [registry];
  const labelNames = ['destination'];
  const duration = new Histogram({
    name: 'sidescope_egress_duration_seconds',
    help: 'Of the attempts that went well, from opening the profile to the answer.',
    labelNames,
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900],
    registers,
  });
  const counter = (about: { name: string; help: string; label?: string }, read: (sums: Sums) => Counts) =>
    new Counter({
      name: about.name,
      help: about.help,
      labelNames: about.label === undefined ? labelNames : [...labelNames, about.label],
      registers,
      collect() {
        this.reset();
        for (const sums of egress.sums())
          for (const [value, count] of Object.entries(read(sums)))
            this.inc({ destination: sums.name, ...(about.label !== undefined && { [about.label]: value }) }, count);
      },
    });
  const gauge = (about: { name: string; help: string }, read: (sums: Sums) => number) =>
    new Gauge({
      ...about,
      labelNames,
      registers,
      collect() {
        for (const sums of egress.sums()) this.set({ destination: sums.name }, read(sums));
      },
    });
  const sentHelp = 'Profiles and windows of the recorder that a destination took.';
  counter({ name: 'sidescope_egress_sent_total', help: sentHelp }, ({ sent }) => ({ sent }));
  counter({ name: 'sidescope_egress_sent_bytes_total', help: 'Bytes of them, as sent.' }, ({ sentBytes }) => ({
    sentBytes,
  }));
  const failedHelp = 'Attempts that failed, each retry too.';
  counter({ name: 'sidescope_egress_failed_total', help: failedHelp, label: 'reason' }, ({ failed }) => failed);
  const droppedHelp =
    'Never sent: no room in the queue, refused for good, tried too often, removed before it was their turn.';
  counter({ name: 'sidescope_egress_dropped_total', help: droppedHelp, label: 'reason' }, ({ dropped }) => dropped);
  gauge({ name: 'sidescope_egress_queue_length', help: 'What waits.' }, ({ queue }) => queue.items);
  gauge({ name: 'sidescope_egress_queue_bytes', help: 'Stored bytes of what waits.' }, ({ queue }) => queue.bytes);
  gauge(
    { name: 'sidescope_egress_queue_age_seconds', help: 'Of the oldest that waits; 0 without one.' },
    ({ queue }) => (queue.oldestMs === null ? 0 : Math.max(0, (Date.now() - queue.oldestMs) / 1000)),
  );
  const onSent = ({ destination, durationMs }: Shipment): void => duration.observe({ destination }, durationMs / 1000);
  egress.on('sent', onSent);
  return { [Symbol.dispose]: () => void egress.off('sent', onSent) };
}

type Sums = ReturnType<Egress['sums']>[number];
type Counts = Readonly<Record<string, number>>;
