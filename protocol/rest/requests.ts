import { z } from 'zod';
import { cpuDurationMs, cpuIntervalUs, samplingDurationMs, samplingIntervalBytes } from './limits.ts';
import { profileFormatSchema, profileKindSchema, samplingModeSchema } from './profile.ts';

/** Query values are strings. The forms accepted are the plain decimal ones: "1e3", "0x10", " 5" and "" are refused. */
export function integer(min: number, max: number, unit: string) {
  return z
    .string()
    .regex(/^-?\d{1,20}$/, `must be a whole number of ${unit}, ${min} to ${max}`)
    .describe(`Whole number of ${unit}, ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be between ${min} and ${max} ${unit}`);
}

export const flag = z
  .enum(['true', 'false', '1', '0'], 'must be true or false')
  .describe('`true` or `false`')
  .transform((value) => value === 'true' || value === '1');
export const targetId = z.string().min(1).max(200).describe('Id of a target; may be left out when there is one only');
const threadId = z
  .string()
  .regex(/^[a-z0-9.-]{1,64}$/, 'must be main, all, or the id of a thread')
  .describe('`main` (default), `all`, or the id of a thread');
export const time = z.iso.datetime({
  offset: true,
  message: 'must be an ISO 8601 time with a zone, such as 2026-01-31T12:00:00Z',
});

export const cpuStartQuery = z
  .object({
    target: targetId.optional(),
    duration: integer(cpuDurationMs.min, cpuDurationMs.max, 'milliseconds')
      .optional()
      .describe(`Milliseconds, ${cpuDurationMs.min} to ${cpuDurationMs.max}; default ${cpuDurationMs.default}`),
    interval: integer(cpuIntervalUs.min, cpuIntervalUs.max, 'microseconds')
      .optional()
      .describe(
        `Sampling interval in microseconds, ${cpuIntervalUs.min} to ${cpuIntervalUs.max}; default ${cpuIntervalUs.default}`,
      ),
    thread: threadId.optional(),
    deoptimize: flag
      .optional()
      .describe(
        'Whether V8 shall forget what it optimised before: without that it may count the hottest functions for their callers. ' +
          'Pauses the target about 0.65 ms more per MB of its heap; by default where the heap has at most 256 MiB',
      ),
    wait: flag.optional(),
  })
  .strict();

export const cpuStopQuery = z.object({ target: targetId.optional(), wait: flag.optional() }).strict();

export const heapSnapshotQuery = z
  .object({ target: targetId.optional(), thread: threadId.optional(), force: flag.optional(), wait: flag.optional() })
  .strict();

export const heapForecastQuery = z.object({ target: targetId.optional(), thread: threadId.optional() }).strict();

export const heapSamplingQuery = z
  .object({
    target: targetId.optional(),
    duration: integer(samplingDurationMs.min, samplingDurationMs.max, 'milliseconds').optional(),
    mode: samplingModeSchema.optional(),
    interval: integer(samplingIntervalBytes.min, samplingIntervalBytes.max, 'bytes').optional(),
    thread: threadId.optional(),
    wait: flag.optional(),
  })
  .strict();

export const stacksQuery = z.object({ target: targetId.optional() }).strict();

const stepMs = integer(1_000, 86_400_000, 'milliseconds');
const historyTimes = {
  target: targetId.optional(),
  from: time.optional().describe('Default: one hour before `to`'),
  to: time.optional().describe('Default: now'),
};

/** Readings are kept every 5 s for an hour and every minute for 7 days. */
export const vitalsQuery = z
  .object({
    ...historyTimes,
    step: stepMs.optional().describe('Milliseconds between points; default: what gives 720 or fewer'),
  })
  .strict();

export const memoryStatsQuery = z.object({ target: targetId.optional() }).strict();

export const cursor = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,200}$/, 'must be the `nextCursor` of an earlier answer')
  .describe('`nextCursor` of an earlier answer');

export const stallsQuery = z
  .object({
    target: targetId.optional(),
    kind: z.enum(['blocked', 'saturated']).optional(),
    since: time.optional().describe('startedAt at or after'),
    limit: integer(1, 100, 'stalls').optional().describe('Default 20'),
    tree: flag.optional().describe('`false` leaves the merged stacks out; default `true`'),
    cursor: cursor.optional(),
  })
  .strict();

export const profilesQuery = z
  .object({
    kind: profileKindSchema.optional(),
    target: targetId.optional(),
    since: time.optional().describe('startedAt at or after'),
    before: time.optional().describe('startedAt before'),
    trigger: z.enum(['api', 'rule', 'alert']).optional(),
    limit: integer(1, 500, 'profiles').optional(),
    cursor: cursor.optional(),
  })
  .strict();

/** At least one of the two filters is required: an empty query must not delete everything. */
export const profilesDeleteQuery = z
  .object({
    before: time.optional().describe('startedAt before'),
    kind: profileKindSchema.optional(),
    target: targetId.optional(),
  })
  .strict()
  .refine((query) => query.before !== undefined || query.kind !== undefined, 'needs `before` or `kind`');

export const downloadQuery = z
  .object({
    format: profileFormatSchema.optional(),
    source: z
      .enum(['original', 'raw'], 'must be original or raw')
      .optional()
      .describe(
        '`original`: functions and lines as source maps have them, the default for pprof and collapsed; `raw`: as V8 wrote them, the default for the artifact itself',
      ),
    requests: z
      .enum(['sure', 'likely'], 'must be sure or likely')
      .optional()
      .describe(
        'Of pprof of CPU profiles: which samples have labels of their request. `likely` adds those that are not sure, and says by the label `confidence` which; default `sure`',
      ),
    redact: flag
      .optional()
      .describe(
        'Heap snapshots: contents of strings, and keys that are data, are replaced by others of their length. Without Range, and of a length that is known at its end only',
      ),
    ticket: z.string().max(200).optional().describe('Stands for the credential'),
  })
  .strict();

export const ticketQuery = z.object({ format: profileFormatSchema.optional(), redact: flag.optional() }).strict();

export const operationsQuery = z
  .object({ target: targetId.optional(), state: z.enum(['active', 'ended']).optional() })
  .strict();
