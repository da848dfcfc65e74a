import { z } from 'zod';
import { flag, integer } from './requests.ts';

const bytes = z.number();

export const heapClassSchema = z.object({
  name: z.string(),
  count: z.int(),
  selfBytes: bytes,
  retainedBytes: bytes.describe('What would be freed with all of them; nothing is counted twice'),
});

export const heapSnapshotSummarySchema = z.object({
  kind: z.literal('heap-snapshot'),
  nodes: z.int(),
  edges: z.int(),
  selfBytes: bytes,
  unreachedNodes: z.int().describe('Held weakly only, or about to be collected'),
  types: z.array(z.object({ type: z.string(), count: z.int(), selfBytes: bytes })),
  classCount: z.int(),
  classes: z.array(heapClassSchema).describe('Most retained bytes first'),
  biggest: z.array(
    z.object({
      id: z.int().describe("V8's: the same in every snapshot of one process"),
      node: z.int(),
      type: z.string(),
      className: z.string(),
      name: z.string(),
      selfBytes: bytes,
      retainedBytes: bytes,
      path: z.string().describe('The shortest way to it'),
    }),
  ),
  duplicates: z.array(
    z.object({
      text: z.string(),
      count: z.int(),
      selfBytes: bytes,
      wastedBytes: bytes.describe('What one of them would save'),
      isPrefix: z.boolean().describe('V8 writes 1,024 characters at most: longer ones that begin alike are one here'),
    }),
  ),
  hints: z
    .array(
      z.object({
        kind: z.string(),
        text: z.string(),
        count: z.int(),
        retainedBytes: bytes,
        path: z.string(),
        exampleId: z.int(),
      }),
    )
    .describe('Large collections, listeners, timers, pending promises, closures'),
});

export const heapClassListSchema = z.object({
  profileId: z.string(),
  analysedAt: z.iso.datetime(),
  total: z.int().describe('Classes of the snapshot'),
  classes: z.array(heapClassSchema).describe('Most retained bytes first, at most 1000'),
});
export type HeapClassList = z.infer<typeof heapClassListSchema>;

export const heapSnapshotDiffSchema = z.object({
  kind: z.literal('heap-snapshot'),
  before: z.string().describe('Id of the snapshot that was taken earlier'),
  middle: z.string().nullable().describe('Of three; then `isSuspect` tells what stays from what comes and goes'),
  after: z.string(),
  snapshots: z.int(),
  warning: z
    .string()
    .nullable()
    .describe(
      'Why it says less than it seems to: objects could not be told apart, then `grown` is empty and new and freed are by class',
    ),
  totals: z.object({
    newCount: z.int(),
    newBytes: bytes,
    freedCount: z.int(),
    freedBytes: bytes,
    survivedCount: z.int(),
    survivedBytes: bytes,
  }),
  classes: z
    .array(
      z.object({
        name: z.string(),
        counts: z.array(z.int()).describe('Of each snapshot, the earliest first'),
        selfBytes: z.array(bytes),
        retainedBytes: z.array(bytes),
        newCount: z.int(),
        newBytes: bytes,
        freedCount: z.int(),
        freedBytes: bytes,
        isGrowingSteadily: z.boolean(),
      }),
    )
    .describe('Most new retained bytes first'),
  grown: z
    .array(
      z.object({
        className: z.string(),
        path: z.string().describe('How they are held: `global.cache.table[]`'),
        example: z.string(),
        exampleId: z.int(),
        count: z.int(),
        retainedBytes: bytes,
        chainedCount: z.int().describe('Of three: of its class, those that hang on each other, as in a list; else 0'),
        isSuspect: z.boolean().describe('Of three: its class grows in each, and at least 100 of them stayed'),
      }),
    )
    .describe('New objects, by how they are held'),
});
export type HeapSnapshotDiff = z.infer<typeof heapSnapshotDiffSchema>;

export const analyseQuery = z
  .object({
    against: z
      .string()
      .max(64)
      .optional()
      .describe('Id of an earlier snapshot of the same process: `GET /profiles/:id/diff/:other` answers then'),
    third: z
      .string()
      .max(64)
      .optional()
      .describe('Id of one more: of three, what is new in the second and stays to the last counts as grown'),
    wait: flag.optional(),
  })
  .strict();

export const classesQuery = z
  .object({
    limit: integer(1, 1_000, 'classes').optional().describe('Default 100'),
    name: z.string().max(200).optional().describe('Part of the name, upper and lower case alike'),
  })
  .strict();
