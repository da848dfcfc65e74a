import { z } from 'zod';
import { integer, targetId, time } from './requests.ts';

const quantile = z.number().nullable().describe('Null where none came');

export const requestHistorySchema = z.object({
  targetId: z.string().nullable().describe('Null: of all targets together'),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  stepMs: z.int().describe('At least what was asked for; at most 2000 points are given'),
  completeTo: z.iso
    .datetime()
    .describe('Spans come some seconds after the end of their request: what ended later is not told yet'),
  since: z.iso.datetime().nullable().describe('End of the first request that was told of; null before it'),
  routes: z.array(z.string()).describe('Those with the most time, at most three; points have them in this order'),
  points: z
    .array(
      z.object({
        at: z.iso.datetime().describe('Start of the step'),
        durationMs: z.int().describe('What of the step is known: less at both ends of the history'),
        requests: z.int().describe('That ended in it'),
        failed: z.int(),
        p50Ms: quantile,
        p95Ms: quantile,
        p99Ms: quantile,
        routeP95Ms: z.array(quantile).describe('Of `routes`'),
      }),
    )
    .describe('Oldest first. A step without requests has 0 of them; one from before the first has no point'),
});
export type RequestHistoryList = z.infer<typeof requestHistorySchema>;

export const requestHistoryQuery = z
  .object({
    target: targetId.optional().describe('Default: all together'),
    from: time.optional().describe('Default: one hour before `to`'),
    to: time.optional().describe('Default: now'),
    step: integer(5_000, 86_400_000, 'milliseconds').optional().describe('Default: what gives 300 or fewer points'),
  })
  .strict();
export type RequestHistoryQuery = z.output<typeof requestHistoryQuery>;
