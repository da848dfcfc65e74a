import type { Catch, RuleExplanation, RuleView } from '../../protocol/rest/rules.ts';
import { formatDuration, plural } from '../format.ts';
import type { Tone } from './words.ts';
import { sentence } from './words.ts';

export const catchWords = {
  stall: 'Blocked event loop',
  saturation: 'Saturated event loop',
  delay: 'Long event-loop delay',
  cpu: 'High CPU',
  latency: 'Slow request',
} as const satisfies Record<Catch['event'], string>;

/** As the agent reads them, and as people do. */
export const catchTimes = { '10m': '10 min', '30m': '30 min', '2h': '2 h', '12h': '12 h' } as const;

const captureWords: Readonly<Record<string, string>> = {
  cpu: 'a CPU profile is taken',
  'heap-sampling': 'the heap is sampled',
  'heap-snapshot': 'a heap snapshot is taken',
  stacks: 'the stacks are read',
  recorder: 'what the flight recorder has is kept',
};

/** `When cpuMainCores above 0.35 for 4 s: a CPU profile is taken.` The condition is as its author wrote it. */
export function ruleSentence({ when, capture }: Pick<RuleView, 'when' | 'capture'>): string {
  return `When ${when}: ${capture === null ? 'it is told, and nothing captured' : (captureWords[capture] ?? capture)}.`;
}

export function catchStatus(
  { state, why, startedAt, until }: Catch,
  nowMs: number,
): { tone: Tone; label: string; sentence: string } {
  const reason = why === null ? '' : sentence(why);
  switch (state) {
    case 'waiting': {
      // The page's time is read every few seconds.
      const leftMs = Math.max(0, Date.parse(until) - Math.max(nowMs, Date.parse(startedAt)));
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
