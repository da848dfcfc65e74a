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
