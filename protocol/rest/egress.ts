import { z } from 'zod';

export const egressDestinationSchema = z.object({
  name: z.string(),
  kind: z.enum(['s3', 'pyroscope', 'directory', 'webhook']),
  where: z.string().describe('Host, bucket or directory; nothing secret'),
  kinds: z.array(z.string()).describe('What is sent there; `recorder`: windows of the flight recorder'),
  triggers: z.array(z.string()).nullable().describe('Only those; null: all'),
  labels: z.record(z.string(), z.string()).describe('That a profile must have'),
  redact: z.boolean().nullable().describe('Heap snapshots go without their contents; null where none go'),
  state: z.enum(['idle', 'sending', 'waiting']).describe('waiting: it failed, and is asked again at `nextAttemptAt`'),
  nextAttemptAt: z.iso.datetime().nullable(),
  queue: z.object({
    items: z.int(),
    bytes: z.number(),
    bytesMax: z.number().describe('Beyond it the oldest are dropped'),
    oldestAt: z.iso.datetime().nullable(),
  }),
  sent: z.int().describe('Since the agent started'),
  sentBytes: z.number(),
  failed: z.record(z.string(), z.int()).describe('Attempts, by reason'),
  dropped: z.record(z.string(), z.int()).describe('Never sent, by reason'),
  lastSentAt: z.iso.datetime().nullable(),
  lastError: z
    .object({ at: z.iso.datetime(), message: z.string(), reason: z.string() })
    .nullable()
    .describe('Of the last attempt; null when it went well'),
});
export type EgressDestination = z.infer<typeof egressDestinationSchema>;

export const deliverySchema = z.object({
  profileId: z.string(),
  destination: z.string(),
  state: z.enum(['queued', 'sent', 'dropped']),
  at: z.iso.datetime().describe('When it was queued, sent, or dropped'),
  attempts: z.int().describe('That failed'),
  reason: z.string().nullable().describe('Why the last attempt failed, or why it was dropped'),
});
export type Delivery = z.infer<typeof deliverySchema>;

export const egressSchema = z.object({
  destinations: z.array(egressDestinationSchema),
  problems: z.array(z.string()).describe('What is wrong with the configuration: those destinations are not used'),
  deliveries: z.array(deliverySchema).describe('Of profiles, the newest 500'),
});
export type EgressView = z.infer<typeof egressSchema>;
