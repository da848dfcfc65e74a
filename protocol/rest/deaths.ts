import { z } from 'zod';
import { growthReadingSchema } from './leaks.ts';
import { memoryLimitSchema } from './memory-limit.ts';
import { cursor, integer, targetId, time } from './requests.ts';
import { stacksSchema } from './stacks.ts';
import { stallSchema } from './stalls.ts';
import { targetIdentitySchema } from './target.ts';
import { vitalsHistorySchema, vitalsSchema } from './vitals.ts';

export const deathCauses = [
  'exit',
  'uncaught-exception',
  'v8-out-of-memory',
  'container-memory-limit',
  'killed',
  'crashed',
  'unknown',
] as const;
export type DeathCause = (typeof deathCauses)[number];

/** How one run of a target ended, and what was known of it until then. */
export const deathSchema = z.object({
  id: z.string(),
  targetId: z.string(),
  targetName: z.string(),
  instanceId: z.string(),
  identity: targetIdentitySchema,
  at: z.iso.datetime().describe('When its end was noticed'),
  uptimeMs: z.number(),
  cause: z
    .enum(deathCauses)
    .describe(
      'exit: by itself, by `process.exit` or by running out of work; killed: by a signal from outside; crashed: by a signal of its own, such as an abort',
    ),
  confidence: z
    .enum(['certain', 'likely', 'guess'])
    .describe('certain: the process or the kernel said so; likely: all that is known fits; guess: nothing contradicts'),
  summary: z.string().describe('One sentence'),
  evidence: z.array(z.string()).describe('What the cause was concluded from'),
  unknown: z.array(z.string()).describe('What could not be known, and why'),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  error: z
    .object({
      origin: z.enum(['uncaughtException', 'unhandledRejection']),
      name: z.string(),
      message: z.string(),
      stack: z.string().describe('As the target has it, at most 8000 characters'),
    })
    .nullable()
    .describe('The exception that ended it, or that its own handler ended it for'),
  memory: z
    .object({
      pool: z
        .enum(['heap', 'external', 'native'])
        .nullable()
        .describe(
          'What it ran out of, else what grew most in these minutes; null when none grew by more than a few MB',
        ),
      grownBytes: z.number().nullable(),
      limit: memoryLimitSchema.nullable().describe('At the last reading'),
    })
    .describe('Of the last 10 minutes'),
  sampling: growthReadingSchema.nullable().describe('The last reading of the heap sampler: the sites that grew'),
  stall: stallSchema.nullable().describe('The one that lasted until its end'),
  stacks: stacksSchema.nullable().describe('The last that somebody asked for, in its last 10 minutes'),
  alerts: z.array(z.object({ id: z.string(), problem: z.string(), title: z.string() })).describe('Open at its end'),
  lastReading: vitalsSchema.nullable(),
  vitals: vitalsHistorySchema.shape.points.describe('The last 10 minutes that were read, in steps of 10 s'),
  next: z
    .object({ instanceId: z.string(), startedAt: z.iso.datetime() })
    .nullable()
    .describe('The run that came after it'),
});
export type Death = z.infer<typeof deathSchema>;

export const deathListSchema = z.object({
  deaths: z.array(deathSchema).describe('Newest first'),
  nextCursor: z.string().nullable().describe('`cursor` of the next page; null on the last one'),
});
export type DeathList = z.infer<typeof deathListSchema>;

export const deathsQuery = z
  .object({
    target: targetId.optional(),
    since: time.optional().describe('at or after'),
    limit: integer(1, 50, 'deaths').optional().describe('Default 10'),
    cursor: cursor.optional(),
  })
  .strict();
