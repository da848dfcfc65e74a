import { z } from 'zod';
import { diskUsageSchema } from './profile.ts';

/** A part of the agent that can be on or off. `off` and `failed` always say why and what to set. */
export const featureSchema = z.object({
  name: z.string(),
  state: z.enum(['on', 'off', 'failed']),
  reason: z.string().nullable(),
  remedy: z.string().nullable(),
});
export type Feature = z.infer<typeof featureSchema>;

export const infoSchema = z.object({
  name: z.literal('sidescope'),
  version: z.string(),
  nodeVersion: z.string(),
  pid: z.int(),
  startedAt: z.iso.datetime(),
  uptimeMs: z.number(),
  endsAt: z.iso.datetime().nullable().describe('When `--ttl` ends the agent'),
  memory: z.object({ rssBytes: z.number(), heapUsedBytes: z.number() }),
  listeners: z.object({
    admin: z.string().nullable(),
    ops: z.string().nullable(),
    control: z.string().nullable().describe('Path of the local socket that `sidescope token` asks'),
  }),
  options: z
    .array(
      z.object({ name: z.string(), value: z.string(), source: z.enum(['flag', 'environment', 'file', 'default']) }),
    )
    .describe('Secrets are hidden'),
  features: z.array(featureSchema),
  storage: diskUsageSchema.nullable(),
  environment: z.record(z.string(), z.string()),
  you: z.object({ name: z.string(), scopes: z.array(z.string()), expiresAt: z.iso.datetime().nullable() }),
});
export type Info = z.infer<typeof infoSchema>;
