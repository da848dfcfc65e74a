import { z } from 'zod';

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
  unavailable: z.string().nullable().describe('Why allocation sites cannot be had'),
  latest: growthReadingSchema.nullable(),
});
export type LeakSearch = z.infer<typeof leakSearchSchema>;

export const leakListSchema = z.object({
  verdicts: z.array(leakVerdictSchema).describe('One per pool of each target, as it runs now'),
  searches: z.array(leakSearchSchema).describe('The allocation sampling that suspicions started'),
  earlier: z.array(leakRecordSchema).describe('All that were called leaks, also of earlier runs, newest first'),
  nextCursor: z.string().nullable().describe('`cursor` of the next page of `earlier`; null on the last one'),
});
export type LeakList = z.infer<typeof leakListSchema>;
