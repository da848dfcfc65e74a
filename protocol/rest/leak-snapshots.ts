import { z } from 'zod';

/** Rows of each kind. */
export const heapGrowthRowsMax = 5;

/** What two heap snapshots of one run of a target say of its growth. */
export const heapGrowthSchema = z.object({
  before: z.string().describe('Id of the snapshot that was taken earlier'),
  after: z.string(),
  beforeAt: z.iso.datetime(),
  afterAt: z.iso.datetime(),
  warning: z
    .string()
    .nullable()
    .describe('Why it says less than it seems to: objects could not be told apart, then there are no `paths`'),
  newBytes: z.number().describe('Of objects that the later one has and the earlier one has not'),
  freedBytes: z.number(),
  classes: z
    .array(
      z.object({
        name: z.string(),
        counts: z.tuple([z.int(), z.int()]).describe('Before, after'),
        grownBytes: z.number().describe('Of what all of them retain'),
      }),
    )
    .max(heapGrowthRowsMax)
    .describe('Grown most first'),
  paths: z
    .array(
      z.object({
        className: z.string(),
        path: z.string().describe('How they are held: `global.cache.table[]`; keys of data are left out'),
        count: z.int(),
        retainedBytes: z.number(),
        share: z.number().min(0).max(1).describe('Retained, of `newBytes`'),
      }),
    )
    .max(heapGrowthRowsMax)
    .describe('New objects by how they are held, most retained first; from 1 % on'),
});
export type HeapGrowth = z.infer<typeof heapGrowthSchema>;

export const heapEvidenceSchema = z.object({
  growth: heapGrowthSchema.nullable().describe('Null where no two snapshots of this run were compared'),
  note: z.string().describe('What the rows stand on, or how to get some'),
});
export type HeapEvidence = z.infer<typeof heapEvidenceSchema>;
