import type { Catch, RuleExplanation, RuleView } from '../../protocol/rest/rules.ts';
import { formatDuration, plural } from '../format.ts';
import type { Tone } from './words.ts';

export const catchWords = {
  stall: 'Blocked event loop',
  saturation: 'Saturated event loop',
  delay: 'Long event-loop delay',
  cpu: 'High CPU',
  latency: 'Slow request',
} as const satisfies Record<Catch['event'], string>;

export const catchTimes = ['10m', '30m', '2h', '12h'] as const;

export function catchStatus(
  { state, why, until }: Catch,
  nowMs: number,
): { tone: Tone; label: string; sentence: string } {
  const reason = why === null ? '' : `${why}.`;
  switch (state) {
    case 'waiting': {
      const leftMs = Math.max(0, Date.parse(until) - nowMs);
      return { tone: 'busy', label: 'Waiting', sentence: `For ${formatDuration(leftMs)} more.` };
    }
    case 'keeping':
      return { tone: 'busy', label: 'Keeping', sentence: 'It came: what was recorded is being kept.' };
    case 'caught':
      return { tone: 'good', label: 'Caught', sentence: reason };
    case 'expired':
      return { tone: 'idle', label: 'Nothing came', sentence: reason };
    case 'cancelled':
      return { tone: 'idle', label: 'Cancelled', sentence: reason };
    case 'failed':
      return { tone: 'bad', label: 'Failed', sentence: reason };
  }
}

type RuleTarget = RuleView['targets'][number];

export function ruleStatus({ state, waitMs }: RuleTarget): readonly [Tone, string] {
  switch (state) {
    case 'idle':
      return ['good', 'Watching'];
    case 'holds':
      return ['warn', 'Holds now'];
    case 'cooldown':
      return ['idle', `Cooldown, ${formatDuration(waitMs)} more`];
    case 'limit':
      return ['idle', `At its limit, ${formatDuration(waitMs)} more`];
    case 'unknown':
      return ['idle', 'No reading yet'];
  }
}

/** What the dry run says, in one sentence. */
export function explanationSentence({ readings, held, wouldHaveFired, suppressed }: RuleExplanation): string {
  if (readings === 0) return 'Nothing was read in the last hour.';
  const kept = suppressed.cooldown + suppressed.limit;
  const unfired = kept === 0 ? '' : `; ${kept} more kept back by cooldown and limit`;
  return `In the last hour it held in ${held} of ${plural(readings, 'reading')} and would have fired ${plural(wouldHaveFired.length, 'time')}${unfired}.`;
}
