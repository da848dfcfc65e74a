import { z } from 'zod';
import { integer, targetId, time } from './requests.ts';
import { routeListSchema, spanKindSchema } from './timelines.ts';

const placeSchema = z.object({ file: z.string(), line: z.int().nullable(), column: z.int().nullable() });

/** Work of one name, of spans: exact for what was received. */
export const hotOperationSchema = z.object({
  kind: spanKindSchema,
  name: z
    .string()
    .describe('Middleware, route of a handler, statement without literals; `(other)` is what found no place'),
  where: placeSchema.nullable().describe('Where the sender says it; null: most instrumentations do not'),
  count: z.int(),
  estimatedCount: z
    .number()
    .nullable()
    .describe('What they stand for, where the sender samples; null where it does not, or its share is unknown'),
  averageMs: z.number(),
  totalMs: z.number(),
  selfMs: z.number().describe('While nothing below it was open: the rank goes by it'),
  share: z.number().describe('Of the self time of all'),
  p95Ms: z.number().describe('Within 5 % of the exact one'),
  errors: z.int(),
  lastSeenAt: z.iso.datetime(),
});
export type HotOperation = z.infer<typeof hotOperationSchema>;

/** A function of CPU profiles. How often it was called and how long one call took, samples cannot know. */
export const hotFunctionSchema = z.object({
  name: z.string(),
  where: placeSchema.nullable().describe('As its author wrote it, where a source map said so; null for native code'),
  category: z.string().describe('app, package, node, native, gc'),
  count: z.null(),
  averageMs: z.null(),
  p95Ms: z.null(),
  totalMs: z.number().describe('With what it called'),
  selfMs: z.number(),
  selfErrorMs: z.number().describe('One standard deviation of the sampling'),
  share: z.number().describe('Of the self time of all'),
  samples: z.int(),
  profiles: z.int().describe('In how many it was'),
  lastSeenAt: z.iso.datetime(),
});
export type HotFunctionOfProfiles = z.infer<typeof hotFunctionSchema>;

export const hotFunctionsSchema = z.object({
  spans: z
    .object({
      from: z.iso.datetime(),
      to: z.iso.datetime(),
      spans: z.int().describe('Received in that time, as far as they were kept'),
      sampling: routeListSchema.shape.sampling,
      items: z.array(hotOperationSchema),
      reason: z.string().nullable().describe('Why there is nothing'),
    })
    .nullable()
    .describe('null when not asked for'),
  cpu: z
    .object({
      profileIds: z.array(z.string()).describe('The latest CPU profiles, at most 5'),
      sampledMs: z.number().describe('Their time, idle included'),
      items: z.array(hotFunctionSchema),
      countReason: z.string(),
      reason: z.string().nullable(),
    })
    .nullable(),
});
export type HotFunctions = z.infer<typeof hotFunctionsSchema>;

export const hotFunctionsQuery = z
  .object({
    source: z.enum(['spans', 'cpu', 'both'], 'must be spans, cpu or both').optional().describe('Default both'),
    limit: integer(1, 200, 'rows').optional().describe('Default 20'),
    since: time.optional(),
    target: targetId.optional().describe('Whose CPU profiles; default: of all'),
  })
  .strict();
export type HotFunctionsQuery = z.output<typeof hotFunctionsQuery>;
