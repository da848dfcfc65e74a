import { z } from 'zod';
import { heapSnapshotSummarySchema } from './heap-analysis.ts';
import { integer } from './requests.ts';

export const summaryQuery = z
  .object({
    format: z.enum(['json', 'text']).optional().describe('`text`: a report of fewer than 200 lines; default `json`'),
    limit: integer(1, 100, 'functions').optional().describe('How many functions; default 20'),
  })
  .strict();

const share = z.number().min(0).max(1);
const place = {
  functionName: z.string(),
  url: z.string(),
  line: z.int().describe('1-based; 0 where there is none'),
  column: z.int(),
};

const hotStacks = z.array(z.object({ share, frames: z.array(z.string()).readonly() })).readonly();

export const cpuSummarySchema = z.object({
  kind: z.literal('cpu'),
  durationMs: z.number(),
  samples: z.int(),
  intervalUs: z.number(),
  busyShare: share.describe('Of all time, that in which the thread was not idle'),
  shares: z.record(z.string(), share).describe('Of all time, by whose code it was'),
  functions: z.array(
    z.object({
      ...place,
      category: z.string(),
      selfSamples: z.int(),
      selfUs: z.number(),
      totalUs: z.number(),
      selfShare: share.describe('Of the time in which the thread was not idle'),
    }),
  ),
  stacks: hotStacks.describe('The hottest, outermost function first'),
});

export const heapSamplingSummarySchema = z.object({
  kind: z.literal('heap-sampling'),
  sampledBytes: z.number(),
  samples: z.int(),
  functions: z.array(z.object({ ...place, selfBytes: z.number(), share })),
  stacks: hotStacks.describe('On which most was allocated, outermost function first'),
});

export const profileSummarySchema = z.discriminatedUnion('kind', [
  cpuSummarySchema,
  heapSamplingSummarySchema,
  heapSnapshotSummarySchema,
]);
/** Those that are made when they are asked for; one of a heap snapshot is kept. */
export type ProfileSummary = Exclude<z.infer<typeof profileSummarySchema>, { kind: 'heap-snapshot' }>;
