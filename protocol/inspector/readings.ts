import { z } from 'zod';
import { SidescopeError } from '../error.ts';

/**
 * The answers of the fixed expressions. A target may answer anything (patched `process`, frozen `performance`), so each is checked
 * and a misfit is an error with the field's name, never a value of the wrong type further in.
 */
export interface IdentityReading {
  readonly pid: number;
  readonly ppid: number | null;
  readonly timeOriginMs: number;
  readonly nodeVersion: string;
  readonly v8Version: string;
  readonly arch: string;
  readonly platform: string;
  readonly hostname: string;
  readonly title: string;
  readonly mainScript: string | null;
  readonly execArgv: string;
  readonly appName: string | null;
  readonly appVersion: string | null;
  readonly agents: readonly string[];
}

const text = z.string().max(1000);

const identitySchema = z.object({
  pid: z.int().positive(),
  ppid: z.int().nullable().catch(null),
  timeOriginMs: z.number().positive(),
  nodeVersion: text,
  v8Version: text.catch('unknown'),
  arch: text.catch('unknown'),
  platform: text.catch('unknown'),
  hostname: text.catch('unknown'),
  title: text.catch(''),
  mainScript: text.nullable().catch(null),
  execArgv: text.catch(''),
  appName: text.nullable().catch(null),
  appVersion: text.nullable().catch(null),
  agents: z.array(text).max(64).catch([]),
});

export function decodeIdentity(value: unknown): IdentityReading {
  return checked('identity', identitySchema, value);
}

/** `[process.hrtime(), Date.now(), performance.timeOrigin, performance.now()]`, one moment on the target's clocks. */
export interface ClockReading {
  readonly monotonicUs: number;
  readonly wallMs: number;
  readonly timeOriginMs: number;
}

const clockSchema = z.tuple([z.tuple([z.number(), z.number()]), z.number(), z.number(), z.number()]);

export function decodeClock(value: unknown): ClockReading {
  const [[seconds, nanoseconds], wallMs, timeOriginMs] = checked('clock', clockSchema, value);
  return { monotonicUs: seconds * 1e6 + nanoseconds / 1e3, wallMs, timeOriginMs };
}

/** Of the process, the heap of the isolate that answered. The kernel keeps the highest RSS since the start. */
export interface UsageReading {
  readonly rssBytes: number;
  readonly maxRssBytes: number;
  readonly heapUsedBytes: number;
  /** Node writes V8's precise coverage at its exit. */
  readonly collectsCoverage: boolean;
}

const usageSchema = z.tuple([
  z.number().nonnegative(),
  z.number().nonnegative(),
  z.number().nonnegative(),
  z.boolean(),
]);

export function decodeUsage(value: unknown): UsageReading {
  const [rssBytes, maxRssBytes, heapUsedBytes, collectsCoverage] = checked('usage', usageSchema, value);
  return { rssBytes, maxRssBytes, heapUsedBytes, collectsCoverage };
}

/** Bytes, of the process (rss, host) and of the isolate that answered (heap, spaces). */
export interface MemoryReading {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly externalBytes: number;
  readonly heapLimitBytes: number;
  readonly newSpaceBytes: number;
  readonly oldSpaceBytes: number;
  readonly largeObjectBytes: number;
  /** null when the process has no limit of its own. */
  readonly constrainedBytes: number | null;
  readonly hostTotalBytes: number;
  readonly hostFreeBytes: number;
}

const bytes = z.number().nonnegative();

const memorySchema = z.object({
  rssBytes: bytes,
  heapUsedBytes: bytes,
  externalBytes: bytes,
  heapLimitBytes: bytes,
  spaces: z.array(z.tuple([z.string(), bytes])).max(32),
  constrainedBytes: bytes.nullable(),
  hostTotalBytes: bytes,
  hostFreeBytes: bytes,
});

export function decodeMemory(value: unknown): MemoryReading {
  const { spaces, constrainedBytes, ...reading } = checked('memory', memorySchema, value);
  const sum = (isCounted: (name: string) => boolean): number =>
    spaces.reduce((total, [name, used]) => (isCounted(name) ? total + used : total), 0);
  return {
    ...reading,
    newSpaceBytes: sum((name) => name === 'new_space'),
    // `map_space` was folded into old space after 18. Code and trusted space hold few nodes for their bytes.
    oldSpaceBytes: sum((name) => name === 'old_space' || name === 'map_space'),
    largeObjectBytes: sum((name) => name.includes('large_object')),
    // Without a limit Node answers 9.2e18 (18-22) or 1.8e19 (24): anything from the host's size on is no limit.
    constrainedBytes:
      constrainedBytes === null || constrainedBytes === 0 || constrainedBytes >= reading.hostTotalBytes
        ? null
        : constrainedBytes,
  };
}

/** A frame that runs; line and column are 1-based, 0 where there is no place. */
export interface StackFrame {
  /** Empty for anonymous functions and the top level of a script. */
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
  /** Where the running function begins, 1-based: at its name, or at the `function` before it. Missing where V8 does not say. */
  readonly functionPlace?: { readonly line: number; readonly column: number };
}

export interface ActiveSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly name: string;
  readonly sampled: boolean;
  /** `http.route`, where the span is one of the SDK and has it. */
  readonly route: string | null;
}

export interface StackReading {
  /** The running function first; null when the target's own Error lets nobody look. */
  readonly frames: readonly StackFrame[] | null;
  readonly hasMore: boolean;
  readonly span: ActiveSpan | null;
}

const place = z.int().nonnegative();

const stackSchema = z.object({
  frames: z
    .array(z.tuple([text, text, place, place, place.optional(), place.optional()]))
    .max(64)
    .nullable(),
  hasMore: z.boolean(),
  // Ids as OpenTelemetry has them: anything else is no span that could be looked up.
  span: z
    .tuple([z.string().regex(/^[0-9a-f]{32}$/), z.string().regex(/^[0-9a-f]{16}$/), text, z.boolean(), text])
    .nullable()
    .catch(null),
});

export function decodeStack(value: unknown): StackReading {
  const { frames, hasMore, span } = checked('stack', stackSchema, value);
  return {
    frames:
      frames?.map(([functionName, url, lineNumber, columnNumber, line = 0, column = 0]) => ({
        functionName,
        url,
        lineNumber,
        columnNumber,
        ...(line > 0 && column > 0 && { functionPlace: { line, column } }),
      })) ?? null,
    hasMore,
    span: span && { traceId: span[0], spanId: span[1], name: span[2], sampled: span[3], route: span[4] || null },
  };
}

export function checked<T>(what: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join('.') ?? '';
  throw new SidescopeError(
    'inspector-bad-answer',
    `the target answered the ${what} reading wrongly${where && ` at ${where}`}: ${issue?.message ?? ''}`,
  );
}
