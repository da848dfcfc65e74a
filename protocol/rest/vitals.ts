import { z } from 'zod';
import { memoryLimitSchema } from './memory-limit.ts';

const bytes = z.number().nullable();
const ratio = z.number().nullable();

const failureSchema = z.object({ code: z.string(), message: z.string() });

export const threadVitalsSchema = z.object({
  thread: z.string(),
  title: z.string(),
  heapUsedBytes: bytes,
  heapTotalBytes: bytes,
  externalBytes: bytes,
  arrayBuffersBytes: bytes,
  utilization: ratio.describe('Share of the time that its event loop was busy'),
  cpuCores: ratio.describe('null before Node 22.19 and 24'),
  error: failureSchema.nullable(),
});

export const cgroupSchema = z.object({
  version: z.union([z.literal(1), z.literal(2)]),
  memoryCurrentBytes: bytes.describe('With the file cache'),
  workingSetBytes: bytes.describe(
    'Without the part of the file cache that is given back first: what the kubelet judges by',
  ),
  memoryMaxBytes: bytes.describe('The lowest limit on the way up; null without one'),
  oomKills: z.number().nullable().describe('Since the cgroup was made'),
  memoryHighEvents: z.number().nullable(),
  memoryMaxEvents: z.number().nullable(),
  cpuLimitCores: z.number().nullable(),
  throttledRatio: ratio.describe(
    'Share of the time since the last reading that its threads were kept off the CPU, summed over CPUs',
  ),
  throttledMs: z.number().nullable().describe('Since the cgroup was made'),
});

/** One moment of a target. A value that could not be had is null; `problems` says why. Rates are since the reading before. */
export const vitalsSchema = z.object({
  targetId: z.string(),
  instanceId: z.string(),
  at: z.iso.datetime(),
  error: failureSchema.nullable().describe('Why the main thread told nothing'),
  problems: z.array(z.string()).describe('Parts that the target answered wrongly, and why'),
  memory: z.object({
    rssBytes: bytes,
    heapUsedBytes: bytes,
    heapTotalBytes: bytes,
    heapLimitBytes: bytes,
    externalBytes: bytes,
    arrayBuffersBytes: bytes,
    containerLimitBytes: bytes.describe("The cgroup's, or what the target says of it; null without one"),
    spaces: z.array(z.object({ name: z.string(), usedBytes: z.number(), sizeBytes: z.number() })),
  }),
  cpu: z.object({
    userCores: ratio,
    systemCores: ratio,
    mainCores: ratio.describe('The main thread'),
    workerCores: ratio.describe('Worker threads'),
    otherCores: ratio.describe('GC, compilation, the thread pool and the rest'),
    starvedRatio: ratio.describe(
      'Of the time in which the main thread wanted a CPU, the share that it waited for one, throttling included: 0.5 is half as fast as it could be. Null where the kernel does not show it',
    ),
  }),
  nodeLoad: z.tuple([z.number(), z.number(), z.number()]).nullable().describe('1, 5 and 15 minutes, of the whole node'),
  loop: z.object({
    utilization: ratio.describe(
      'While the CPU is sampled idle time is lost in Node.js (18-26): then the CPU time of the main thread, null where that is not known',
    ),
    delayMeanMs: z.number().nullable(),
    delayP99Ms: z.number().nullable(),
    delayMaxMs: z.number().nullable(),
    turnsPerSecond: z.number().nullable().describe('null on Node 18'),
  }),
  gc: z
    .object({
      count: z.number(),
      pauseMs: z.number(),
      kinds: z.array(z.object({ kind: z.string(), count: z.number(), pauseMs: z.number() })),
    })
    .nullable()
    .describe('Since the last reading; null when it was not observed'),
  activeResources: z.array(z.object({ kind: z.string(), count: z.number() })),
  uptimeMs: z.number().nullable(),
  measures: z
    .object({
      entries: z.array(z.object({ name: z.string(), count: z.number(), totalMs: z.number(), maxMs: z.number() })),
      mayHaveMissed: z.boolean().describe('Some were cleared, or there were more than 64, since the last reading'),
    })
    .nullable()
    .describe("The application's own `performance.measure` entries since the last reading"),
  threads: z.array(threadVitalsSchema).describe('Workers older than one interval, at most 16'),
  omittedThreads: z.int().describe('Workers that are older than one interval, and beyond those 16'),
  cgroup: cgroupSchema.nullable().describe('null where the agent cannot read it'),
});
export type Vitals = z.infer<typeof vitalsSchema>;

/** How each series of the history is made out of the readings of one step. */
export const seriesKinds = {
  rssBytes: 'mean',
  rssMaxBytes: 'max',
  heapUsedBytes: 'mean',
  heapUsedMaxBytes: 'max',
  heapTotalBytes: 'mean',
  heapLimitBytes: 'max',
  externalBytes: 'mean',
  arrayBuffersBytes: 'mean',
  containerBytes: 'mean',
  containerLimitBytes: 'max',
  cpuUserCores: 'mean',
  cpuSystemCores: 'mean',
  cpuMainCores: 'mean',
  cpuMaxCores: 'max',
  utilization: 'mean',
  delayMeanMs: 'mean',
  delayP99Ms: 'max',
  delayMaxMs: 'max',
  gcRatio: 'mean',
  gcPerSecond: 'mean',
  throttledRatio: 'mean',
  nodeLoad1: 'mean',
} as const;
export type SeriesName = keyof typeof seriesKinds;
export const seriesNames = Object.keys(seriesKinds) as readonly SeriesName[];
export type SeriesValues = Readonly<Record<SeriesName, number | null>>;

const seriesShape = Object.fromEntries(
  seriesNames.map((name) => [name, z.number().nullable().describe(seriesKinds[name])]),
) as Record<SeriesName, z.ZodNullable<z.ZodNumber>>;

const memorySeries = [
  'rssBytes',
  'rssMaxBytes',
  'heapUsedBytes',
  'heapUsedMaxBytes',
  'heapTotalBytes',
  'heapLimitBytes',
  'externalBytes',
  'arrayBuffersBytes',
  'containerBytes',
  'containerLimitBytes',
] as const satisfies readonly SeriesName[];

const pointShape = {
  at: z.iso.datetime().describe('Start of the step'),
  readings: z.int().describe('How many there are in it'),
  failed: z.int().describe('How many of them told nothing'),
};

const historyShape = {
  targetId: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  stepMs: z.int().describe('At least what was asked for; at most 2000 points are given'),
};

const gaps = 'Oldest first. A step without readings has no point: gaps stay gaps';

export const vitalsHistorySchema = z.object({
  ...historyShape,
  latest: vitalsSchema.nullable().describe('The last reading of this target, whenever it was'),
  points: z.array(z.object({ ...pointShape, ...seriesShape })).describe(gaps),
});
export type VitalsHistory = z.infer<typeof vitalsHistorySchema>;
export type VitalsPoint = VitalsHistory['points'][number];

export const memoryHistorySchema = z.object({
  ...historyShape,
  points: z
    .array(
      z.object({
        ...pointShape,
        ...(Object.fromEntries(memorySeries.map((name) => [name, seriesShape[name]])) as Pick<
          typeof seriesShape,
          (typeof memorySeries)[number]
        >),
      }),
    )
    .describe(gaps),
});
export type MemoryHistory = z.infer<typeof memoryHistorySchema>;

export function memoryPoint(point: VitalsPoint): MemoryHistory['points'][number] {
  const { at, readings, failed } = point;
  const values = Object.fromEntries(memorySeries.map((name) => [name, point[name]])) as Pick<
    VitalsPoint,
    (typeof memorySeries)[number]
  >;
  return { at, readings, failed, ...values };
}

/** What one reading tells; `memoryStatsSchema` adds what the readings before it tell. */
export const memoryReadingSchema = z.object({
  targetId: z.string(),
  instanceId: z.string(),
  at: z.iso.datetime(),
  rssBytes: bytes,
  heapUsedBytes: bytes,
  heapTotalBytes: bytes,
  externalBytes: bytes,
  arrayBuffersBytes: bytes,
  heapLimitBytes: bytes,
  heapUsedPercent: z.number().nullable().describe('Of the heap limit'),
  containerBytes: bytes.describe('What the cgroup counts; the RSS where that cannot be read'),
  containerLimitBytes: bytes,
  containerUsedPercent: z.number().nullable().describe('Of the container limit; null without one'),
  spaces: vitalsSchema.shape.memory.shape.spaces,
});
export type MemoryReading = z.infer<typeof memoryReadingSchema>;

export const memoryStatsSchema = memoryReadingSchema.extend({
  nearerLimit: memoryLimitSchema.nullable().describe('null while no limit is known, or before the first reading'),
  limitNotes: z.array(z.string()).describe('Limits that are not known, or not believed, and why'),
});
export type MemoryStats = z.infer<typeof memoryStatsSchema>;
