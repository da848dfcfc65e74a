import { z } from 'zod';
import { samplingModeSchema } from './profile.ts';

export const operationKindSchema = z.enum(['cpu', 'heap-snapshot', 'heap-sampling', 'leak-search', 'heap-analysis']);
export type OperationKind = z.infer<typeof operationKindSchema>;

export const operationStateSchema = z.enum(['queued', 'running', 'succeeded', 'partial', 'failed', 'cancelled']);
export type OperationState = z.infer<typeof operationStateSchema>;

/** `partial` and `cancelled` may still have artifacts: `profileIds` says which. */
export const operationSchema = z.object({
  id: z.string(),
  kind: operationKindSchema,
  state: operationStateSchema,
  targetId: z.string(),
  thread: z.string().describe('As asked for: main, all, or a thread id'),
  startedBy: z.string().describe('Name of the credential, or of the rule'),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
  expiresAt: z.iso.datetime().nullable().describe('When an ended operation leaves the table'),
  parameters: z.object({
    durationMs: z.number().optional(),
    intervalUs: z.number().optional(),
    deoptimize: z.boolean().optional(),
    force: z.boolean().optional(),
    mode: samplingModeSchema.optional(),
    intervalBytes: z.number().optional(),
    settleMs: z.number().optional(),
  }),
  progress: z.object({
    /** What it does now, for people: "sampling", "target is paused: V8 builds the snapshot", "receiving", "checking". */
    phase: z.string(),
    fraction: z.number().min(0).max(1).nullable().describe('null while it cannot be known'),
    bytes: z.number().describe('Plain bytes received so far'),
  }),
  queuePosition: z.int().nullable(),
  profileIds: z.array(z.string()),
  warnings: z.array(z.string()),
  error: z
    .object({ code: z.string(), message: z.string(), details: z.record(z.string(), z.unknown()).optional() })
    .nullable(),
});
export type Operation = z.infer<typeof operationSchema>;

export const isEndedState = (state: OperationState): boolean => state !== 'queued' && state !== 'running';
