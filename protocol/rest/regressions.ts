import { z } from 'zod';
import { loadSources, spreadSchema } from './baseline.ts';
import { functionChangeSchema } from './diff.ts';
import { cursor, integer, targetId, time } from './requests.ts';

const referenceSchema = z.object({
  kind: z.enum(['previous-version', 'settled', 'provisional']),
  version: z.string().nullable(),
  takenAt: z.iso.datetime(),
  isProvisional: z.boolean().describe('It is of the first minutes only: what differs from it alerts nobody'),
});
export type Reference = z.infer<typeof referenceSchema>;

const loadChangeSchema = z.object({
  source: z.enum(loadSources),
  baseline: z.number().nullable().describe('Requests per second'),
  now: z.number().nullable(),
  ratio: z.number().nullable().describe('Null where one of them is not known, or the baseline saw none'),
});

const metricWindowsSchema = z.array(
  z.object({ at: z.iso.datetime().describe('Where the window ends'), value: z.number() }),
);
export type MetricWindows = z.infer<typeof metricWindowsSchema>;

const comparedSchema = z.object({
  metric: z.string().describe('As in the measures of `GET /baseline`'),
  title: z.string(),
  unit: z.enum(['cores', 'ms', 'bytes', 'number']),
  baseline: spreadSchema,
  now: z.number().describe('Median of the last windows'),
  change: z.number().nullable().describe('Of the baseline: 1 is twice as much; null where the baseline is 0'),
  significance: z.number().describe("In standard deviations of the baseline's windows"),
  severity: z.enum(['warning', 'critical']),
  explanation: z.string().nullable().describe('How the load, or a machine without CPU for it, makes it so'),
});

const correlatedSchema = z.object({
  name: z.string(),
  baseline: z.number(),
  now: z.number(),
  correlation: z
    .number()
    .min(-1)
    .max(1)
    .nullable()
    .describe(
      "Spearman's, of the windows around the change: 1 when both rise and fall together, -1 when one falls as the other rises; null where too few windows of this run have both",
    ),
  windows: z.int().describe('Of which it is'),
});
export type Correlated = z.infer<typeof correlatedSchema>;

export const causeSchema = z.object({
  kind: z.enum(['function', 'version', 'load', 'machine']),
  text: z.string(),
  functionName: z.string().nullable(),
  url: z.string().nullable(),
  line: z.int().nullable(),
  shareBefore: z.number().nullable().describe("Of the program's CPU time"),
  shareAfter: z.number().nullable(),
});
export type Cause = z.infer<typeof causeSchema>;

export const regressionSchema = z.object({
  id: z.string(),
  targetId: z.string(),
  instanceId: z.string(),
  service: z.object({ name: z.string(), version: z.string().nullable() }),
  ...comparedSchema.shape,
  reference: referenceSchema,
  state: z.enum(['open', 'ended']),
  outcome: z
    .enum(['sent', 'explained', 'provisional'])
    .describe(
      '`sent`: an alert was raised. `explained`: the load makes it so, or a machine that has no CPU for it. `provisional`: there is no settled baseline yet',
    ),
  since: z.iso.datetime().describe('Start of the first window that was beyond'),
  foundAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  endReason: z.string().nullable(),
  load: loadChangeSchema,
  correlated: z
    .array(correlatedSchema)
    .describe('What else moved: measures, and scraped series by their value or rate. The closest first'),
  windows: metricWindowsSchema.describe('The metric in this run of the program, oldest first: the last 120 at most'),
  causes: z.array(causeSchema).describe('Candidates, the likeliest first'),
});
export type Regression = z.infer<typeof regressionSchema>;

export const regressionListSchema = z.object({
  regressions: z.array(regressionSchema).describe('Newest first'),
  nextCursor: z.string().nullable(),
});
export type RegressionList = z.infer<typeof regressionListSchema>;

export const regressionsQuery = z
  .object({
    target: targetId.optional(),
    state: z.enum(['open', 'ended']).optional(),
    outcome: z.enum(['sent', 'explained', 'provisional']).optional(),
    since: time.optional().describe('foundAt at or after'),
    limit: integer(1, 100, 'regressions').optional().describe('Default 20'),
    cursor: cursor.optional(),
  })
  .strict();

export const regressionCheckSchema = z.object({
  targetId: z.string(),
  at: z.iso.datetime(),
  message: z.string().describe('What was compared, or why nothing could be'),
  comparisons: z.array(
    z.object({
      reference: referenceSchema,
      load: loadChangeSchema,
      measures: z
        .array(
          z.object({
            ...comparedSchema.shape,
            verdict: z
              .enum(['ok', 'worse', 'explained', 'unsure'])
              .describe('`unsure`: beyond the limits in some of the last windows only'),
            windows: metricWindowsSchema.describe(
              'As in a finding; empty for routes and series that are as they were: there may be hundreds',
            ),
          }),
        )
        .describe('What is worse first'),
    }),
  ),
  functions: z
    .object({
      beforeVersion: z.string().nullable(),
      afterVersion: z.string().nullable(),
      samplesBefore: z.number(),
      samplesAfter: z.number(),
      changes: z.array(functionChangeSchema).describe('Functions whose share of the CPU time changed most'),
    })
    .nullable(),
  functionsReason: z.string().nullable().describe('Why functions are not compared'),
  open: z.array(regressionSchema),
});
export type RegressionCheck = z.infer<typeof regressionCheckSchema>;

export const regressionCheckQuery = z.object({ target: targetId.optional() }).strict();
