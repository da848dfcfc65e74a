import { z } from 'zod';
import { cursor, flag, integer, targetId, time } from './requests.ts';

export const alertProblems = [
  'memory-limit',
  'memory-leak',
  'target-death',
  'stall',
  'saturation',
  'regression',
  'rule',
  'inspector-exposed',
] as const;

export const alertSeverities = ['info', 'warning', 'critical'] as const;

/** An episode: one problem of one target, from its first report until it has been quiet for a while. */
export const alertSummarySchema = z.object({
  id: z.string(),
  problem: z.enum(alertProblems),
  state: z.enum(['open', 'closed']),
  targetId: z.string(),
  key: z.string().describe('Tells episodes of one problem and target apart: a function, a pool, a metric; often empty'),
  severity: z.enum(alertSeverities).describe('The worst so far'),
  title: z.string().describe('One sentence with the numbers, of the last report'),
  text: z.string().nullable(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  profileIds: z.array(z.string()),
  traceId: z.string().nullable(),
  service: z
    .object({
      name: z.string(),
      version: z.string().nullable(),
      source: z.enum(['option', 'otel', 'pod', 'package', 'target']).describe('Where the name comes from'),
    })
    .nullable(),
  openedAt: z.iso.datetime(),
  updatedAt: z.iso.datetime().describe('The last report'),
  closedAt: z.iso.datetime().nullable(),
  closeReason: z.string().nullable(),
  reports: z.int().describe('How often the problem was reported'),
  reopened: z.int().describe('How often it came back soon after its end'),
});
export type AlertSummary = z.infer<typeof alertSummarySchema>;

export const alertSchema = z.object({
  ...alertSummarySchema.shape,
  evidence: z
    .array(
      z.object({
        name: z.string().describe('As a file'),
        mediaType: z.enum(['text/plain', 'application/json']),
        text: z.string(),
      }),
    )
    .describe('At most 100 kB in all; what was cut says so'),
});
export type Alert = z.infer<typeof alertSchema>;

/** `updated`: reported again; `escalated`: worse than ever before; `extended`: with evidence of a new kind; `reopened`: back within minutes after it was closed. */
export const alertChangeSchema = z.enum(['opened', 'updated', 'escalated', 'extended', 'reopened', 'closed']);
export type AlertChange = z.infer<typeof alertChangeSchema>;

export const alertListSchema = z.object({
  alerts: z.array(alertSchema).describe('Newest first'),
  nextCursor: z.string().nullable().describe('`cursor` of the next page; null on the last one'),
});
export type AlertList = z.infer<typeof alertListSchema>;

export const alertsQuery = z
  .object({
    target: targetId.optional(),
    problem: z.enum(alertProblems).optional(),
    state: z.enum(['open', 'closed']).optional(),
    since: time.optional().describe('openedAt at or after'),
    limit: integer(1, 50, 'alerts').optional().describe('Default 20'),
    cursor: cursor.optional(),
    evidence: flag.optional().describe('`false` leaves the texts of the evidence out; default `true`'),
  })
  .strict();
