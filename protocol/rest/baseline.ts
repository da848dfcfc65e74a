import { z } from 'zod';
import { targetId } from './requests.ts';

/** What a measure was like, over windows. */
export const spreadSchema = z.object({
  median: z.number(),
  noise: z.number().describe('A standard deviation of the windows, as their median distance tells it'),
  low: z.number().describe('5 % of the windows are below'),
  high: z.number().describe('5 % of the windows are above'),
  windows: z.int(),
});
export type Spread = z.infer<typeof spreadSchema>;

export const loadSources = ['spans', 'counter', 'unknown'] as const;
export type LoadSource = (typeof loadSources)[number];

export const baselineSchema = z.object({
  kind: z
    .enum(['provisional', 'settled', 'manual'])
    .describe(
      '`provisional`: of the first minutes. `settled`: of 30 windows under load with a flat memory floor. `manual`: asked for',
    ),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  takenAt: z.iso.datetime(),
  isLate: z.boolean().describe('The agent came when the process had run for a while: its first minutes were not seen'),
  windowMs: z.int(),
  windows: z.int(),
  loadSource: z.enum(loadSources).describe('What requests per second are known from'),
  measures: z
    .record(z.string(), spreadSchema)
    .describe(
      '`cpu` in cores, `cpu-per-request` in CPU milliseconds, `heap-floor` and `rss` in bytes after collections, `utilization` 0 to 1, `delay-p99` in ms, `load` in requests per second, `route-p95 NAME` in ms, `route-rate NAME` per second, `series …` of the configuration; `load-average-*` is of the whole node and never compared',
    ),
  routeRequests: z.record(z.string(), z.int()),
  series: z
    .array(
      z.object({
        name: z.string(),
        labels: z.record(z.string(), z.string()),
        value: z.number().nullable(),
        ratePerSecond: z.number().nullable(),
      }),
    )
    .describe('Scraped ones, at most 2000'),
});
export type Baseline = z.infer<typeof baselineSchema>;

const versionSchema = z.object({
  version: z.string().nullable(),
  firstSeenAt: z.iso.datetime(),
  baseline: baselineSchema.nullable(),
  profileSamples: z.int().describe('Of the CPU profiles of this version, merged'),
});

export const baselineViewSchema = z.object({
  targetId: z.string(),
  service: z.object({ name: z.string(), version: z.string().nullable() }),
  state: z.enum(['not-configured', 'waiting', 'warming-up', 'provisional', 'settled']),
  message: z.string().describe('What is there, or why there is nothing yet, and what it waits for'),
  windowMs: z.int(),
  windows: z.int().describe('Of this run of the program, as far as they are kept'),
  provisional: baselineSchema.nullable().describe('Of this run'),
  settled: baselineSchema.nullable().describe('Of this version, by this run or by one before'),
  previous: versionSchema.nullable().describe('The version before this one'),
  previousMessage: z.string(),
  now: z.record(z.string(), z.number()).describe('The last window, by measure'),
  stateDirectory: z.string().nullable(),
  profileSamples: z.int().describe('Of the CPU profiles of this version, merged'),
});
export type BaselineView = z.infer<typeof baselineViewSchema>;

export const baselineQuery = z.object({ target: targetId.optional() }).strict();

/** A file of the state directory: what is known of one version of one service. */
export const versionRecordSchema = z.object({
  format: z.literal('sidescope-baseline'),
  formatVersion: z.literal(1),
  service: z.string(),
  version: z.string().nullable(),
  firstSeenAt: z.iso.datetime(),
  lastSeenAt: z.iso.datetime(),
  baseline: baselineSchema.nullable(),
  profileSamples: z.int(),
});
export type VersionRecord = z.infer<typeof versionRecordSchema>;
