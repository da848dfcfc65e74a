import { z } from 'zod';
import { targetIdentitySchema, threadSchema } from './target.ts';

export const profileKindSchema = z.enum(['cpu', 'heap-snapshot', 'heap-sampling']);
export type ProfileKind = z.infer<typeof profileKindSchema>;

export const profileFormatSchema = z.enum(['cpuprofile', 'pprof', 'collapsed', 'heapsnapshot', 'heapprofile']);
export type ProfileFormat = z.infer<typeof profileFormatSchema>;

/** What the capture did to the target, as measured; null where it was not measured. */
export const captureCostSchema = z.object({
  pauseMs: z.number().nullable().describe('Longest pause that the capture imposed'),
  rssBeforeBytes: z.number().nullable(),
  rssAfterBytes: z.number().nullable(),
  rssPeakBytes: z.number().nullable(),
});
export type CaptureCost = z.infer<typeof captureCostSchema>;

export const cpuFactsSchema = z.object({
  intervalUs: z.number(),
  samples: z.int(),
  nodes: z.int(),
  /** Samples per second that V8 really took. */
  samplingHz: z.number(),
  idleShare: z.number().nullable(),
  gcShare: z.number().nullable(),
  startTimeUs: z.number().describe('CLOCK_MONOTONIC of the target, as in the file'),
  endTimeUs: z.number(),
  topFunction: z.string().nullable().describe('Most self time, for the list: "fib app.ts:12"'),
  topFunctionRaw: z.string().optional().describe('What V8 calls it and where, when a source map named it'),
});

export const snapshotFactsSchema = z.object({
  forced: z.boolean(),
  predictedPeakBytes: z.object({ low: z.number(), high: z.number() }),
  predictedPauseMs: z.object({ low: z.number(), high: z.number() }),
  actualPeakBytes: z.number().nullable(),
  actualPauseMs: z.number().nullable(),
  nodes: z.number().nullable(),
  edges: z.number().nullable(),
});

export const samplingModeSchema = z.enum(['live', 'churn']);
export type SamplingMode = z.infer<typeof samplingModeSchema>;

export const samplingFactsSchema = z.object({
  mode: samplingModeSchema.describe('live: what was still in memory at the end; churn: also what was collected'),
  intervalBytes: z.number().describe('Mean bytes between two samples'),
  samples: z.int(),
  nodes: z.int(),
  sampledBytes: z.number().describe("V8's estimate, from the samples, of what was allocated while it sampled"),
  topSite: z.string().nullable().describe('Most bytes, for the list: "remember app.ts:12"'),
  topSiteRaw: z.string().optional().describe('What V8 calls it and where, when a source map named it'),
});
export type SamplingFacts = z.infer<typeof samplingFactsSchema>;

export const sourceMapsSchema = z.object({
  mapped: z.int().describe('Scripts whose functions appear as in their source'),
  missing: z
    .array(z.object({ path: z.string(), reason: z.string() }))
    .describe('Compiled scripts without a source map that can be used, at most 20'),
  missingCount: z.int(),
  problem: z.string().nullable().describe('Why files of the target could not be looked at'),
});
export type SourceMapsSummary = z.infer<typeof sourceMapsSchema>;

export const profileSchema = z.object({
  id: z.string(),
  kind: profileKindSchema,
  fileName: z.string().describe('As downloaded'),
  operationId: z.string().nullable(),
  targetId: z.string(),
  targetName: z.string(),
  target: targetIdentitySchema,
  thread: threadSchema,
  trigger: z.object({ kind: z.enum(['api', 'rule', 'alert']), by: z.string() }),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  durationMs: z.number(),
  sizeBytes: z.number().describe('Plain bytes, as downloaded'),
  storedBytes: z.number().describe('On disk'),
  sha256: z.string().describe('Of the plain bytes'),
  complete: z.boolean(),
  incompleteReason: z.string().nullable(),
  cost: captureCostSchema,
  cpu: cpuFactsSchema.nullable(),
  snapshot: snapshotFactsSchema.nullable(),
  sampling: samplingFactsSchema.nullable(),
  sourceMaps: sourceMapsSchema.optional().describe('For CPU profiles and heap sampling'),
  clock: z
    .object({ monotonicUs: z.number(), wallMs: z.number(), timeOriginMs: z.number() })
    .nullable()
    .describe("Read once in the target: joins the profile's clock with wall time"),
  warnings: z.array(z.string()),
  labels: z.record(z.string(), z.string()),
  pinned: z.boolean(),
  environment: z.record(z.string(), z.string()).describe('Namespace, pod, node, container, where known'),
  formats: z.array(profileFormatSchema),
});
export type Profile = z.infer<typeof profileSchema>;

export const profilePatchSchema = z
  .object({
    pinned: z.boolean().optional(),
    labels: z
      .record(
        z.string().regex(/^[a-zA-Z0-9._/-]{1,64}$/, 'must have a name of 1 to 64 letters, digits, and any of . _ / -'),
        z.string().max(256),
      )
      .refine((labels) => Object.keys(labels).length <= 32, 'must be 32 labels at most')
      .optional(),
  })
  .strict();
export type ProfilePatch = z.infer<typeof profilePatchSchema>;

export const diskUsageSchema = z.object({
  directory: z.string(),
  temporary: z.boolean().describe('The default directory could not be used: gone with the agent'),
  budgetBytes: z.number(),
  usedBytes: z.number().describe('Everything the agent wrote: artifacts, temporary files, index'),
  artifactBytes: z.number(),
  profiles: z.int(),
  retentionCount: z.int(),
  retentionAgeMs: z.number(),
});
export type DiskUsage = z.infer<typeof diskUsageSchema>;
