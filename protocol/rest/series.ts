import { z } from 'zod';
import { metricTypes } from '../prometheus/model.ts';
import { cursor, integer, targetId, time } from './requests.ts';

const labelsSchema = z.record(z.string(), z.string());

/** How one reading of the metrics page went. */
export const scrapeSchema = z.object({
  targetId: z.string(),
  at: z.iso.datetime(),
  by: z
    .enum(['agent', 'pass-through'])
    .describe('`pass-through`: somebody read `/target-metrics`, and the agent read along'),
  format: z.enum(['text', 'openmetrics']).nullable(),
  durationMs: z.number().describe('From the request to the last byte: the most that it can have cost the target'),
  sizeBytes: z.number(),
  series: z.int().describe('On the page'),
  omitted: z.int().describe('Of them: beyond the number that is kept'),
  repeated: z.int().describe('Samples of a series that the page has already'),
  error: z.object({ code: z.string(), message: z.string() }).nullable().describe('Then nothing of it is kept'),
});
export type Scrape = z.infer<typeof scrapeSchema>;

export const seriesSchema = z.object({
  name: z.string(),
  labels: labelsSchema,
  family: z.string().describe('The metric: the histogram of a bucket'),
  type: z.enum(metricTypes),
  isCumulative: z.boolean().describe('What counts is its rate'),
  unit: z.string().nullable(),
});

export const seriesListSchema = z.object({
  targetId: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  stepMs: z.int().describe('At least what was asked for; 0 for every page that was kept'),
  scrape: scrapeSchema.nullable().describe('The last one, whenever it was'),
  times: z.array(z.iso.datetime()).describe('Of the values, oldest first'),
  series: z
    .array(
      seriesSchema.extend({
        values: z.array(z.number().nullable()).describe('null where the page did not have it'),
        rates: z
          .array(z.number().nullable())
          .nullable()
          .describe(
            'Per second since the time before, restarts of the target taken out; null for what is not cumulative',
          ),
      }),
    )
    .describe('By name and labels'),
  total: z.int().describe('With the filter'),
  nextCursor: z.string().nullable().describe('`cursor` of the next page; null on the last one'),
});
export type SeriesList = z.infer<typeof seriesListSchema>;

export const seriesQuery = z
  .object({
    target: targetId.optional(),
    name: z.string().min(1).max(300).optional().describe('Of the series; `*` stands for anything: `http_*_count`'),
    match: z
      .string()
      .max(1_000)
      .regex(/^\{.*\}$/s, 'must be labels in braces, such as {method="GET"}')
      .optional()
      .describe('Labels that it must have: `{method="GET",route="/users/:id"}`'),
    from: time.optional().describe('Default: one hour before `to`'),
    to: time.optional().describe('Default: now'),
    step: integer(1_000, 86_400_000, 'milliseconds')
      .optional()
      .describe('Milliseconds between values; default: every page, or what gives 720 or fewer'),
    limit: integer(1, 500, 'series').optional().describe('Default 100'),
    cursor: cursor.optional(),
  })
  .strict();
export type SeriesQuery = z.output<typeof seriesQuery>;

const spanSchema = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  pages: z.int().describe('Readings of the metrics page in it; a rate needs two'),
});

const amount = z.number().nullable();

export const profileMetricsSchema = z.object({
  profileId: z.string(),
  targetId: z.string(),
  before: spanSchema.nullable(),
  during: spanSchema.nullable().describe('From the last page before the profile to the first one after it'),
  after: spanSchema.nullable(),
  series: z
    .array(
      seriesSchema.extend({
        measure: z
          .enum(['value', 'rate', 'p50', 'p95', 'p99'])
          .describe('`rate` per second of cumulative series, mean `value` of others, quantiles of histograms'),
        before: amount,
        during: amount,
        after: amount,
        change: amount.describe('(during - before) / before; null where one of them is not known or before is 0'),
      }),
    )
    .describe('Largest change first; at most `limit`. Those that were 0 all the time are left out'),
  total: z.int(),
  note: z.string().nullable().describe('Why something is missing'),
});
export type ProfileMetrics = z.infer<typeof profileMetricsSchema>;

export const profileMetricsQuery = z
  .object({
    name: z.string().min(1).max(300).optional().describe('`*` stands for anything'),
    limit: integer(1, 500, 'series').optional().describe('Default 50'),
  })
  .strict();
export type ProfileMetricsQuery = z.output<typeof profileMetricsQuery>;
