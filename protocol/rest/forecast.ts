import { z } from 'zod';

/**
 * What a heap snapshot would do to the target, from what V8 reports before anything is touched.
 * `allow` when the high end of the range fits, `refuse` when it does not; `reason` is for people.
 */
export const snapshotForecastSchema = z.object({
  targetId: z.string(),
  thread: z.string(),
  verdict: z.enum(['allow', 'refuse']),
  reason: z.string(),
  heapUsedBytes: z.number(),
  oldSpaceBytes: z.number(),
  largeObjectBytes: z.number(),
  rssBytes: z.number(),
  predictedExtraBytes: z.object({ low: z.number(), high: z.number() }),
  predictedPeakBytes: z.object({ low: z.number(), high: z.number() }),
  predictedPauseMs: z.object({ low: z.number(), high: z.number() }),
  predictedFileBytes: z.object({ low: z.number(), high: z.number() }),
  basis: z
    .enum(['worst-case', 'earlier-snapshot'])
    .describe('earlier-snapshot: the ratio of the last one of the same program'),
  limit: z.object({
    bytes: z.number().nullable(),
    source: z.enum(['container', 'host-free', 'unknown']),
    headroomBytes: z.number().nullable(),
  }),
  livenessBudgetMs: z.number(),
  neededLimitBytes: z.number().describe('The container limit at which it would be allowed'),
  alternatives: z.array(z.object({ title: z.string(), command: z.string() })).describe('Ready to copy'),
});
export type SnapshotForecast = z.infer<typeof snapshotForecastSchema>;
