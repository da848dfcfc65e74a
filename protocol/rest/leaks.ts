import { z } from 'zod';
import { heapEvidenceSchema } from './leak-snapshots.ts';
import { investigateLoadMs, investigateSettleMs } from './limits.ts';
import { flag, integer, targetId } from './requests.ts';

const placeShape = {
  functionName: z.string().describe('Empty for anonymous functions'),
  url: z.string(),
  line: z.int().describe('Where the function begins'),
  column: z.int(),
};

export const sitePlaceSchema = z.object(placeShape);

export const growthSiteSchema = z.object({
  ...placeShape,
  original: sitePlaceSchema.nullable().describe('As its author wrote it, where a source map says so'),
  caller: sitePlaceSchema.nullable().describe("For code of a package: the application's function that called it"),
  liveBytes: z.number().describe('Allocated since sampling began, and still there'),
  grownBytes: z.number().describe('In the time that the reading is about'),
  bytesPerMinute: z.number(),
});
export type SitePlace = z.infer<typeof sitePlaceSchema>;
export type GrowthSite = z.infer<typeof growthSiteSchema>;

/** One reading of the heap sampler: what is there now, and what of it came since the first reading of this sampling, or since its start. */
export const growthReadingSchema = z.object({
  instanceId: z.string().describe('The run of the target that it is of'),
  at: z.iso.datetime(),
  forMs: z.number().describe('The time that the growth is of'),
  liveBytes: z.number().describe('Allocated since sampling began, and still there'),
  sites: z.array(growthSiteSchema).describe('Grown most first, at most 20'),
  costMs: z.number().nullable().describe('Pause of the target for the collection that a reading forces'),
});
export type GrowthReading = z.infer<typeof growthReadingSchema>;

export const leakPools = ['heap', 'external', 'native'] as const;
export const leakPoolSchema = z
  .enum(leakPools)
  .describe(
    'heap: JavaScript objects of the main thread after collections; external: ArrayBuffers, Buffers and what V8 knows of native objects; native: RSS minus what V8 knows',
  );
export type LeakPool = z.infer<typeof leakPoolSchema>;
export const leakVerdictStateSchema = z.enum(['settled', 'suspect', 'leak']);

export const leakVerdictSchema = z.object({
  targetId: z.string(),
  instanceId: z.string(),
  pool: leakPoolSchema,
  verdict: leakVerdictStateSchema,
  confidence: z.number().min(0).max(1),
  reason: z.string().describe('What the verdict stands on, in words'),
  at: z.iso.datetime().describe('When it was last looked at'),
  since: z.iso.datetime().nullable().describe('Since when it grows; null while it does not'),
  slopeMbPerHour: z.number().nullable().describe('10^6 B per hour; null while too little is known'),
  levelBytes: z.number().nullable().describe('What the pool holds now, after collections where those were seen'),
  grownBytes: z.number().nullable().describe('In the time that the verdict is about'),
  limit: z
    .object({
      kind: z.enum(['heap', 'container']),
      bytes: z.number(),
      reachedAt: z.iso
        .datetime()
        .nullable()
        .describe('Going on like this; null when it does not grow or not within a year'),
    })
    .nullable()
    .describe('The nearer one; null where none is known'),
  sites: z
    .array(growthSiteSchema)
    .describe('What grew, by allocating function; empty before a reading, and for native memory'),
  nextStep: z.string(),
});
export type LeakVerdict = z.infer<typeof leakVerdictSchema>;

export const leakRecordSchema = leakVerdictSchema.extend({
  id: z.string(),
  foundAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable().describe('It stopped growing, or the target ended'),
});
export type LeakRecord = z.infer<typeof leakRecordSchema>;

export const leakSearchSchema = z.object({
  targetId: z.string(),
  isSampling: z.boolean(),
  since: z.iso.datetime().nullable(),
  readings: z.int().describe('In this run of the target'),
  costMs: z.number().describe('What they paused the target for, in all'),
  gaps: z
    .array(z.object({ from: z.iso.datetime(), to: z.iso.datetime() }))
    .describe('When a capture had the sampler, and allocations were not seen: the last 20 of this run'),
  unavailable: z.string().nullable().describe('Why allocation sites cannot be had'),
  latest: growthReadingSchema.nullable(),
});
export type LeakSearch = z.infer<typeof leakSearchSchema>;

/** What became of the growth under load, once the load was over: at most a tenth of it held, at most half, more. */
export const growthOutcomeSchema = z.enum(['no-growth', 'drained', 'mostly-drained', 'held']);

export const leakInvestigationSchema = z.object({
  id: z.string().describe('Of the operation'),
  targetId: z.string(),
  instanceId: z.string(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  loadMs: z.number().describe('Between the first reading and the one under load'),
  settleMs: z.number().describe('Between that one and the last; 0 without'),
  pools: z.array(
    z.object({
      pool: leakPoolSchema,
      baselineBytes: z.number().nullable(),
      busyBytes: z.number().nullable(),
      settledBytes: z.number().nullable(),
      heldShare: z.number().nullable().describe('Of the growth under load, what is still there at the end'),
      outcome: growthOutcomeSchema,
    }),
  ),
  sites: z
    .array(growthSiteSchema)
    .describe('What was allocated since the first reading, and is still there at the last'),
  readings: z.int(),
  costMs: z.number(),
  heap: heapEvidenceSchema
    .optional()
    .describe('What the newest two heap snapshots of the run say; compared for it with `--heap-analysis`'),
  nextStep: z.string(),
});
export type LeakInvestigation = z.infer<typeof leakInvestigationSchema>;
export type GrowthOutcome = z.infer<typeof growthOutcomeSchema>;

export const listedLeakSchema = leakVerdictSchema.extend({
  heap: heapEvidenceSchema
    .optional()
    .describe('What heap snapshots of the run say, while the heap or external memory grows'),
});
export type ListedLeak = z.infer<typeof listedLeakSchema>;

export const leakListSchema = z.object({
  verdicts: z.array(listedLeakSchema).describe('One per pool of each target, as it runs now'),
  searches: z.array(leakSearchSchema).describe('The allocation sampling that suspicions started'),
  earlier: z.array(leakRecordSchema).describe('All that were called leaks, also of earlier runs, newest first'),
  investigations: z.array(leakInvestigationSchema).describe('The guided searches, newest first, at most 20'),
  nextCursor: z.string().nullable().describe('`cursor` of the next page of `earlier`; null on the last one'),
});
export type LeakList = z.infer<typeof leakListSchema>;

export const leaksQuery = z
  .object({
    target: targetId.optional(),
    limit: integer(1, 200, 'leaks').optional().describe('Of `earlier`; default 50'),
    cursor: z.string().max(100).optional().describe('Of `earlier`'),
  })
  .strict();

export const leakInvestigateQuery = z
  .object({
    target: targetId.optional(),
    duration: integer(investigateLoadMs.min, investigateLoadMs.max, 'milliseconds')
      .optional()
      .describe(`Under load, default ${investigateLoadMs.default}`),
    settle: integer(investigateSettleMs.min, investigateSettleMs.max, 'milliseconds')
      .optional()
      .describe(`Afterwards without load, before the last reading; default ${investigateSettleMs.default}, 0: none`),
    wait: flag.optional(),
  })
  .strict();
