import { z } from 'zod';
import { cpuDurationMs, cpuIntervalUs, samplingDurationMs, samplingIntervalBytes } from '../../protocol/rest/limits.ts';
import { seriesNames } from '../../protocol/rest/vitals.ts';
import { nearestName } from '../options/nearest-name.ts';
import { valueTypes } from '../options/value-types.ts';

/** As in the options: `30s`, `10m`. */
function duration(min: string, max: string) {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    const text = String(value);
    if (text === '0' || text === '0s') return 0;
    const parsed = valueTypes.duration.parse(text, { min, max });
    if ('value' in parsed) return parsed.value;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 40))} ${parsed.problem}` });
    return z.NEVER;
  });
}

const labels = z.record(z.string().max(200), z.string().max(500));

const bounds = {
  above: z.number().optional(),
  below: z.number().optional(),
  for: duration('1s', '1h').optional(),
};

const metric = z.string().transform((name, context) => {
  const found = seriesNames.find((known) => known === name);
  if (found !== undefined) return found;
  const nearest = nearestName(name, seriesNames);
  const hint = nearest === undefined ? `known ones are ${seriesNames.join(', ')}` : `did you mean ${nearest}?`;
  context.addIssue({ code: 'custom', message: `there is no metric ${JSON.stringify(name.slice(0, 60))}; ${hint}` });
  return z.NEVER;
});

const leafShapes = [
  z.object({ metric, ...bounds }).strict(),
  z
    .object({
      series: z.string().regex(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/, 'must be the name of a series of the metrics page'),
      labels: labels.optional(),
      read: z.enum(['value', 'rate', 'quantile']).optional(),
      quantile: z.number().min(0).max(1).optional(),
      ...bounds,
    })
    .strict(),
  z
    .object({
      route: z.string().min(1).max(500),
      read: z.enum(['p50', 'p95', 'p99', 'average', 'errors', 'requests']),
      'min-requests': z.int().min(1).max(1_000_000).optional(),
      ...bounds,
    })
    .strict(),
  z.object({ event: z.enum(['stall', 'saturation', 'leak', 'memory', 'regression', 'exit', 'death']) }).strict(),
] as const;

/** Which kind of condition it is, by its first key: a message about the right shape says more than four about all of them. */
const whenShape: z.ZodType<WhenInput> = z.unknown().transform((value, context) => {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  const shape = keys.includes('all')
    ? groupShape('all')
    : keys.includes('any')
      ? groupShape('any')
      : keys.includes('metric')
        ? leafShapes[0]
        : keys.includes('series')
          ? leafShapes[1]
          : keys.includes('route')
            ? leafShapes[2]
            : keys.includes('event')
              ? leafShapes[3]
              : undefined;
  if (shape === undefined) {
    context.addIssue({ code: 'custom', message: 'must have one of metric, series, route, event, all, any' });
    return z.NEVER;
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data as WhenInput;
  for (const issue of parsed.error.issues)
    context.addIssue({ code: 'custom', message: issue.message, path: issue.path });
  return z.NEVER;
});

function groupShape(key: 'all' | 'any') {
  return z
    .object({
      [key]: z
        .array(z.lazy(() => whenShape))
        .min(1)
        .max(16),
    })
    .strict();
}

export type WhenInput = z.infer<(typeof leafShapes)[number]> | { all: WhenInput[] } | { any: WhenInput[] };

const captureDuration = duration(`${cpuDurationMs.min}ms`, `${cpuDurationMs.max}ms`).optional();

const captureShapes = {
  cpu: z
    .object({
      kind: z.literal('cpu'),
      duration: captureDuration,
      interval: z.int().min(cpuIntervalUs.min).max(cpuIntervalUs.max).optional(),
      thread: z
        .string()
        .regex(/^[a-z0-9.-]{1,64}$/, 'must be main, all, or the id of a thread')
        .optional(),
    })
    .strict(),
  'heap-sampling': z
    .object({
      kind: z.literal('heap-sampling'),
      duration: duration(`${samplingDurationMs.min}ms`, '1h').optional(),
      mode: z.enum(['live', 'churn']).optional(),
      interval: z.int().min(samplingIntervalBytes.min).max(samplingIntervalBytes.max).optional(),
    })
    .strict(),
  stacks: z.object({ kind: z.literal('stacks') }).strict(),
  'heap-snapshot': z.object({ kind: z.literal('heap-snapshot') }).strict(),
  recorder: z
    .object({
      kind: z.literal('recorder'),
      before: duration('1s', '10m').optional(),
      after: duration('1s', '5m').optional(),
    })
    .strict(),
} as const;

const captureNames = Object.keys(captureShapes) as (keyof typeof captureShapes)[];

const captureShape = z.preprocess(
  (value) => (typeof value === 'string' ? { kind: value } : value),
  z.discriminatedUnion('kind', Object.values(captureShapes) as [(typeof captureShapes)['cpu']], {
    error: () => `must be one of ${captureNames.join(', ')}`,
  }),
) as unknown as z.ZodType<CaptureInput>;

export type CaptureInput = z.infer<(typeof captureShapes)[keyof typeof captureShapes]>;

export const ruleShape = z
  .object({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes'),
    enabled: z.boolean().optional(),
    when: whenShape,
    capture: captureShape.optional(),
    limits: z
      .object({
        cooldown: duration('10s', '7d').optional(),
        max: z.int().min(1).max(1_000).optional(),
        window: duration('1m', '7d').optional(),
      })
      .strict()
      .optional(),
    keep: z
      .object({
        pin: z.boolean().optional(),
        labels: z.record(z.string().regex(/^[a-zA-Z0-9._/-]{1,64}$/), z.string().max(256)).optional(),
      })
      .strict()
      .optional(),
    alert: z.enum(['off', 'info', 'warning', 'critical']).optional(),
  })
  .strict();
export type RuleInput = z.output<typeof ruleShape>;

export const maxRules = 50;
