import { z } from 'zod';
import { checked } from './readings.ts';

/** One thread's answer to `vitalsExpression`. Parts that the target could not or would not tell are null; `problems` says why. */
export interface ThreadVitals {
  readonly memory: {
    /** Of the process; all else is of the isolate that answered. */
    readonly rssBytes: number;
    readonly heapTotalBytes: number;
    readonly heapUsedBytes: number;
    readonly externalBytes: number;
    readonly arrayBuffersBytes: number;
  } | null;
  /** Since the start of the process. */
  readonly cpu: { readonly userUs: number; readonly systemUs: number } | null;
  /** Of the thread that answered; null before Node 22.19 and 24. */
  readonly threadCpuUs: number | null;
  readonly loop: { readonly idleMs: number; readonly activeMs: number } | null;
  /** Iterations of the loop; null on Node 18. */
  readonly turns: number | null;
  /** null without a limit, and on Node 18.0 to 18.14. */
  readonly constrainedBytes: number | null;
  readonly uptimeMs: number | null;
  readonly resources: readonly (readonly [name: string, count: number])[];
  readonly measures: MeasuresReading | null;
  readonly problems: readonly (readonly [part: string, reason: string])[];
}

export interface MeasuresReading {
  /** How many the application has in its buffer. */
  readonly total: number;
  readonly firstMs: number | null;
  /** `performance.now()` of this reading, the clock of the entries. */
  readonly nowMs: number;
  /** The last 64: name, start, duration. */
  readonly last: readonly (readonly [name: string, startMs: number, durationMs: number])[];
}

const amount = z.number().nonnegative();
const name = z.string().max(100);

const measuresSchema = z.object({
  total: amount,
  firstMs: z.number().nullable(),
  nowMs: z.number(),
  last: z.array(z.tuple([name, z.number(), z.number()])).max(64),
});

const threadVitalsSchema = z.object({
  memory: z.tuple([amount, amount, amount, amount, amount.nullable()]).nullable().catch(null),
  cpu: z.tuple([amount, amount]).nullable().catch(null),
  threadCpu: amount.nullable().catch(null),
  loop: z.tuple([amount, amount]).nullable().catch(null),
  turns: amount.nullable().catch(null),
  constrainedBytes: amount.nullable().catch(null),
  uptimeSeconds: amount.nullable().catch(null),
  resources: z
    .array(z.tuple([name, amount]))
    .max(32)
    .catch([]),
  measures: measuresSchema.nullable().catch(null),
  problems: z.array(z.tuple([name, name])).max(16),
});

/** No process of Node has a petabyte: Node answers 9.2e18 or 1.8e19 where there is no limit. */
const noLimitBytes = 2 ** 50;

export function decodeThreadVitals(value: unknown): ThreadVitals {
  const { memory, cpu, loop, threadCpu, uptimeSeconds, constrainedBytes, problems, ...rest } = checked(
    'vitals',
    threadVitalsSchema,
    value,
  );
  // What was there and was no number is a problem like any other.
  const wrong: (readonly [string, string])[] = [];
  if (memory === null && !problems.some(([part]) => part === 'memoryUsage'))
    wrong.push(['memoryUsage', 'its answer is not numbers']);
  return {
    ...rest,
    memory: memory && {
      rssBytes: memory[0],
      heapTotalBytes: memory[1],
      heapUsedBytes: memory[2],
      externalBytes: memory[3],
      arrayBuffersBytes: memory[4] ?? 0,
    },
    cpu: cpu && { userUs: cpu[0], systemUs: cpu[1] },
    threadCpuUs: threadCpu,
    loop: loop && { idleMs: loop[0], activeMs: loop[1] },
    constrainedBytes:
      constrainedBytes === null || constrainedBytes === 0 || constrainedBytes > noLimitBytes ? null : constrainedBytes,
    uptimeMs: uptimeSeconds === null ? null : uptimeSeconds * 1000,
    problems: [...problems, ...wrong],
  };
}

/** What the probe of the main thread answers to `read`: everything since the reading before. */
export interface ProbeReading {
  readonly heapLimitBytes: number;
  readonly spaces: readonly (readonly [name: string, usedBytes: number, sizeBytes: number])[];
  /** 1, 5 and 15 minutes, of the node that the process runs on. */
  readonly load: readonly [number, number, number];
  /** null when the loop has not turned since. */
  readonly delayNs: { readonly mean: number; readonly p99: number; readonly max: number } | null;
  readonly gc: GcReading | null;
}

/** Since the reading before, by V8's name of the kind. null when it was not observed: Node before 18.15, or over 200 collections a second. */
export type GcReading = readonly (readonly [kind: string, count: number, pauseUs: number])[];

const gcSchema = z
  .array(z.tuple([name, amount, amount]))
  .max(16)
  .nullable();

const probeSchema = z.object({
  heapLimitBytes: amount,
  spaces: z.array(z.tuple([name, amount, amount])).max(32),
  load: z.tuple([amount, amount, amount]),
  delayNs: z.tuple([amount.nullable(), amount.nullable(), amount.nullable(), amount.nullable()]),
  gc: gcSchema,
});

export function decodeProbe(value: unknown): ProbeReading {
  const { delayNs, ...rest } = checked('probe', probeSchema, value);
  const [count, mean, p99, max] = delayNs;
  const isEmpty = count === 0 || mean === null || p99 === null || max === null;
  return { ...rest, delayNs: isEmpty ? null : { mean, p99, max } };
}

export function decodeGc(value: unknown): GcReading | null {
  return checked('gc', gcSchema, value);
}

/** One heartbeat: how often the loop has turned for us, and its idle and active time. */
export interface TickReading {
  readonly turns: number;
  readonly idleMs: number;
  readonly activeMs: number;
}

const tickSchema = z.tuple([amount, amount, amount]);

export function decodeTick(value: unknown): TickReading {
  const [turns, idleMs, activeMs] = checked('heartbeat', tickSchema, value);
  return { turns, idleMs, activeMs };
}
