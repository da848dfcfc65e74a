import { z } from 'zod';
import { alertChangeSchema, alertSummarySchema } from './alerts.ts';
import { deathSchema } from './deaths.ts';
import { leakVerdictSchema } from './leaks.ts';
import { operationSchema } from './operation.ts';
import { diskUsageSchema, profileSchema } from './profile.ts';
import { regressionSchema } from './regressions.ts';
import { scrapeSchema } from './series.ts';
import { stallSchema } from './stalls.ts';
import { targetSchema } from './target.ts';
import { requestCountsSchema } from './timelines.ts';
import { vitalsSchema } from './vitals.ts';

/**
 * What `GET /events` sends, one JSON document per `data:` line, the `event:` field naming the type. A new connection first gets
 * one `hello`; the client then reads the lists once and applies events on top. Slow readers lose events and get `resync`.
 */
export const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), version: z.string(), agentStartedAt: z.iso.datetime() }),
  z.object({ type: z.literal('target'), target: targetSchema }),
  z.object({ type: z.literal('operation'), operation: operationSchema }),
  z.object({ type: z.literal('profile'), profile: profileSchema }),
  z.object({ type: z.literal('profile-deleted'), profileId: z.string() }),
  z.object({ type: z.literal('storage'), storage: diskUsageSchema }),
  z.object({ type: z.literal('vitals'), vitals: vitalsSchema }),
  z.object({ type: z.literal('stall'), stall: stallSchema }),
  z.object({ type: z.literal('alert'), change: alertChangeSchema, alert: alertSummarySchema }),
  z.object({
    type: z.literal('death'),
    death: deathSchema.omit({ vitals: true, lastReading: true, stacks: true, stall: true }),
  }),
  z.object({ type: z.literal('leak'), leak: leakVerdictSchema }),
  z.object({
    type: z.literal('regression'),
    change: z
      .enum(['opened', 'updated', 'ended'])
      .describe('`updated`: another outcome or severity, or more is known of its causes'),
    regression: regressionSchema,
  }),
  z.object({ type: z.literal('requests'), requests: requestCountsSchema }),
  z.object({ type: z.literal('scrape'), scrape: scrapeSchema }),
  z.object({ type: z.literal('resync'), dropped: z.int() }),
]);
export type SidescopeEvent = z.infer<typeof eventSchema>;
