import { z } from 'zod';
import { spanKinds } from '../otlp/span-kind.ts';
import { timelineCpuSchema } from './profile-requests.ts';
import { profileSchema } from './profile.ts';
import { cursor, integer, targetId, time } from './requests.ts';
import { stallSchema } from './stalls.ts';

export const spanKindSchema = z.enum(spanKinds);

export const kindShareSchema = z.object({
  kind: spanKindSchema,
  durationMs: z.number().describe('What of the request it took, parallel work divided: the sum is the duration'),
  share: z.number(),
});
export type KindShare = z.infer<typeof kindShareSchema>;

/** One trace as this process saw it. */
export const timelineSchema = z.object({
  traceId: z.string(),
  name: z.string().describe('`GET /users/:id`; `(no route)` when nothing took the path; the name of what is not HTTP'),
  route: z.string().nullable(),
  kind: spanKindSchema.describe('Of the entry: server, messaging, internal'),
  method: z.string().nullable(),
  statusCode: z.int().nullable(),
  failed: z.boolean(),
  startedAt: z.iso.datetime(),
  durationMs: z.number(),
  requests: z.int().describe('How often the trace entered this process'),
  spans: z.int(),
  isWhole: z
    .boolean()
    .describe('False when its first span did not come: it was sampled away, is still open, or was lost'),
  totals: z.array(kindShareSchema).describe('Largest first'),
  summary: z.string().describe('`database 61 %, middleware 4 %`'),
  serviceName: z.string().nullable(),
  targetId: z
    .string()
    .nullable()
    .describe('By the process id that the sender tells, else the only target; null without'),
});
export type Timeline = z.infer<typeof timelineSchema>;

export const timelineListSchema = z.object({
  timelines: z.array(timelineSchema),
  nextCursor: z.string().nullable().describe('`cursor` of the next page; null on the last one'),
  total: z.int().describe('With the filter'),
});
export type TimelineList = z.infer<typeof timelineListSchema>;

const attributeSchema = z.union([z.string(), z.number(), z.boolean(), z.null()]);

export const timelineSpanSchema = z.object({
  spanId: z.string(),
  parentSpanId: z.string().nullable().describe('The span above it in this list; null for the first of a request'),
  depth: z.int(),
  kind: spanKindSchema,
  name: z.string().describe("The sender's"),
  operation: z
    .string()
    .describe('What it has in common with others of its kind: a statement without literals, a route'),
  offsetMs: z.number().describe('From `startedAt`; senders round starts to whole milliseconds'),
  durationMs: z.number(),
  selfMs: z.number().describe('While nothing below it was open'),
  failed: z.boolean(),
  status: z.string().nullable().describe('HTTP status, or what the sender said of the failure'),
  statement: z.string().nullable().describe('Of a database, literals replaced'),
  errors: z.array(z.object({ type: z.string().nullable(), message: z.string(), stack: z.string().nullable() })),
  scope: z.string().describe('Which instrumentation made it'),
  attributes: z.record(z.string(), attributeSchema).describe('At most 64, texts cut at 2000 characters'),
});
export type TimelineSpan = z.infer<typeof timelineSpanSchema>;

/** Readings of the target while the request ran: they say how much in that time, not at which moment. */
export const timelineMomentSchema = z.object({
  fromOffsetMs: z.number(),
  toOffsetMs: z.number(),
  gc: z.object({ count: z.int(), pauseMs: z.number() }).nullable(),
  measures: z
    .array(z.object({ name: z.string(), count: z.int(), totalMs: z.number(), maxMs: z.number() }))
    .describe("The application's own `performance.measure` entries"),
});

export const timelineDetailSchema = timelineSchema.extend({
  rows: z.array(timelineSpanSchema).describe('Requests by start, in each the entry first, parents before children'),
  hiddenSpans: z.int().describe('Doubles and wrappers of web frameworks, left out'),
  droppedSpans: z.int().describe('Beyond the bounds of one trace'),
  missingParents: z.int().describe('Parts whose parent did not come'),
  moments: z.array(timelineMomentSchema),
  stalls: z
    .array(stallSchema.pick({ id: true, kind: true, summary: true, durationMs: true }).extend({ offsetMs: z.number() }))
    .describe('The event loop was blocked or saturated meanwhile: every request waited'),
  profiles: z
    .array(
      profileSchema
        .pick({ id: true, kind: true, durationMs: true })
        .extend({ offsetMs: z.number(), thread: z.string(), topFunction: z.string().nullable() }),
    )
    .describe('Taken while the request ran'),
  cpu: timelineCpuSchema.nullable().describe('Hot functions inside this request'),
  cpuReason: z.string().nullable().describe('Why there are none, or not all'),
});
export type TimelineDetail = z.infer<typeof timelineDetailSchema>;

const name = z.string().min(1).max(500);

export const timelinesQuery = z
  .object({
    order: z.enum(['newest', 'slowest'], 'must be newest or slowest').optional().describe('Default newest'),
    route: name.optional().describe('Route or name, exactly: `/users/:id`, `GET /users/:id`'),
    status: z
      .string()
      .regex(/^(failed|ok|[1-5]xx|[1-5]\d\d)$/, 'must be failed, ok, a status, or a class such as 5xx')
      .optional()
      .describe('`failed`, `ok`, `404`, `5xx`'),
    minDuration: integer(0, 86_400_000, 'milliseconds').optional(),
    target: targetId.optional(),
    since: time.optional().describe('startedAt at or after'),
    before: time.optional().describe('startedAt before'),
    limit: integer(1, 200, 'timelines').optional().describe('Default 50'),
    cursor: cursor.optional(),
  })
  .strict();
export type TimelinesQuery = z.output<typeof timelinesQuery>;

export const routeStatisticsSchema = z.object({
  name: z.string().describe('`(other)` sums up what found no place: 200 names are kept in each five minutes'),
  kind: spanKindSchema,
  count: z.int().describe('Of received requests'),
  estimatedCount: z
    .number()
    .nullable()
    .describe('What they stand for, where the sender samples; null where it does not, or its share is unknown'),
  ratePerSecond: z.number().describe('Of received requests'),
  errors: z.int(),
  errorShare: z.number(),
  averageMs: z.number(),
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
  totalMs: z.number(),
  databaseShare: z.number().describe('Of the time of its requests'),
  totals: z.array(kindShareSchema).describe('Largest first'),
  summary: z.string(),
  lastSeenAt: z.iso.datetime(),
  slowestTraceId: z.string().nullable().describe('It may be gone from the timelines'),
});
export type RouteStatistics = z.infer<typeof routeStatisticsSchema>;

export const routeListSchema = z.object({
  from: z.iso.datetime().describe('Statistics are kept in steps of five minutes, for an hour'),
  to: z.iso.datetime(),
  quantileErrorShare: z.number().describe('p50, p95 and p99 are at most this far from the exact ones'),
  sampling: z
    .object({ keptShare: z.number().nullable().describe('The smallest that is known'), reason: z.string() })
    .nullable()
    .describe(
      'Not null: the sender drops requests, so counts are of received ones, and `estimatedCount` is an estimate',
    ),
  otherRoots: z
    .int()
    .describe(
      'Traces that begin without a request to this service, such as jobs: no routes; their spans are in the hot functions',
    ),
  routes: z.array(routeStatisticsSchema).describe('Most total time first'),
});
export type RouteList = z.infer<typeof routeListSchema>;

export const routesQuery = z
  .object({ since: time.optional(), limit: integer(1, 500, 'routes').optional().describe('Default 100') })
  .strict();
export type RoutesQuery = z.output<typeof routesQuery>;

/** What came since the agent started; the event `requests`, at most once a second. */
export const requestCountsSchema = z.object({
  spans: z.int(),
  requests: z.int(),
  failed: z.int(),
  timelines: z.int().describe('Kept now'),
});
export type RequestCounts = z.infer<typeof requestCountsSchema>;
