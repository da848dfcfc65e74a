import { z } from 'zod';
import { integer, targetId } from './requests.ts';

export const ruleFiringSchema = z.object({
  id: z.string(),
  rule: z.string(),
  targetId: z.string(),
  at: z.iso.datetime(),
  by: z.string().describe('`rule`, or the name of who fired it by hand'),
  why: z.string().describe('The conditions with their values'),
  state: z.enum(['capturing', 'captured', 'failed', 'told']).describe('told: the rule has no capture'),
  operationId: z.string().nullable(),
  profileIds: z.array(z.string()),
  sharedWith: z.string().nullable().describe('Another rule whose capture this one shares'),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type RuleFiring = z.infer<typeof ruleFiringSchema>;

export const conditionReadingSchema = z.object({
  text: z.string(),
  value: z.number().nullable(),
  holds: z.boolean(),
  sinceMs: z.number().nullable().describe('How long its value has been in the bounds'),
});

const ruleTargetSchema = z.object({
  targetId: z.string(),
  state: z.enum(['idle', 'holds', 'cooldown', 'limit', 'unknown']).describe('unknown: there is no reading yet'),
  waitMs: z.number().describe('Until the cooldown or the limit lets it fire again'),
  conditions: z.array(conditionReadingSchema),
  total: z.int().describe('How often it fired, over all agents of this data directory'),
  suppressed: z.object({ cooldown: z.int(), limit: z.int() }),
  firings: z.array(ruleFiringSchema).describe('Newest first, at most 10'),
});

export const ruleSchema = z.object({
  name: z.string(),
  enabled: z.boolean(),
  when: z.string().describe('In words'),
  capture: z.string().nullable(),
  limits: z.object({ cooldownMs: z.number(), max: z.int(), windowMs: z.number() }),
  keep: z.object({ pinned: z.boolean(), labels: z.record(z.string(), z.string()) }),
  alert: z.enum(['off', 'info', 'warning', 'critical']),
  notes: z
    .array(z.string())
    .describe('What it waits for in vain now: a series that no page has, spans that do not come'),
  targets: z.array(ruleTargetSchema),
});
export type RuleView = z.infer<typeof ruleSchema>;

export const catchEvents = ['stall', 'saturation', 'delay', 'cpu', 'latency'] as const;

export const catchSchema = z.object({
  id: z.string(),
  event: z.enum(catchEvents),
  targetId: z.string(),
  startedBy: z.string(),
  startedAt: z.iso.datetime(),
  until: z.iso.datetime(),
  above: z.number().nullable().describe('delay and latency: milliseconds; cpu: cores'),
  state: z
    .enum(['waiting', 'keeping', 'caught', 'expired', 'failed', 'cancelled'])
    .describe('waiting goes on in the next agent of this data directory'),
  why: z.string().nullable().describe('What was caught, or why nothing was'),
  profileId: z.string().nullable(),
});
export type Catch = z.infer<typeof catchSchema>;

export const rulesSchema = z.object({
  file: z.string().nullable().describe('`--config`'),
  loadedAt: z.iso.datetime().nullable(),
  problems: z
    .array(z.object({ line: z.int(), message: z.string() }))
    .describe('Of the file as it is now; while there are any, the rules of before stay'),
  rules: z.array(ruleSchema),
  catches: z.array(catchSchema).describe('Newest first: all that wait, and the last 20'),
});
export type Rules = z.infer<typeof rulesSchema>;

export const ruleExplanationSchema = z.object({
  rule: z.string(),
  targetId: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  now: z.object({ holds: z.boolean(), conditions: z.array(conditionReadingSchema) }),
  readings: z.int().describe('Readings and events of the last hour: as often it would have been looked at'),
  held: z.int().describe('In how many of them the conditions held'),
  wouldHaveFired: z
    .array(z.object({ at: z.iso.datetime(), why: z.string() }))
    .describe('With its limits, oldest first'),
  suppressed: z.object({ cooldown: z.int(), limit: z.int() }),
  notes: z.array(z.string()).describe('What the dry run cannot know, and why'),
});
export type RuleExplanation = z.infer<typeof ruleExplanationSchema>;

export const rulesQuery = z.object({ target: targetId.optional() }).strict();

/** `30m`, `90s`, `2h`: as in the options. */
const catchFor = z
  .string()
  .regex(/^[1-9]\d{0,5}(s|m|h)$/, 'must be a time from 1s to 24h, such as 30m')
  .transform(
    (text) => Number.parseInt(text, 10) * { s: 1_000, m: 60_000, h: 3_600_000 }[text.at(-1) as 's' | 'm' | 'h'],
  )
  .refine((ms) => ms >= 1_000 && ms <= 86_400_000, 'must be a time from 1s to 24h, such as 30m');

export const catchQuery = z
  .object({
    event: z.enum(catchEvents),
    for: catchFor.optional().describe('`30m` (default), `90s`, `2h`; at most 24h'),
    above: integer(1, 3_600_000, 'milliseconds, or hundredths of a core')
      .optional()
      .describe(
        'delay: milliseconds (default 200); latency: milliseconds (default 1000); cpu: hundredths of a core (default 90)',
      ),
    target: targetId.optional(),
  })
  .strict()
  .refine(({ event, above }) => above === undefined || (event !== 'stall' && event !== 'saturation'), {
    path: ['above'],
    message: 'is for delay, cpu and latency: a stall and saturation have no bound',
  });
