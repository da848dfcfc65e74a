import { z } from 'zod';
import { targetId } from './requests.ts';

export const recorderTargetSchema = z.object({
  targetId: z.string(),
  state: z
    .enum(['off', 'starting', 'recording', 'suspended', 'paused', 'failed', 'stopped'])
    .describe(
      'suspended: for a CPU profile with an interval of its own; paused: the target is overloaded; stopped: the target exits, or is left',
    ),
  reason: z.string().nullable().describe('Why it does not record; null while it does'),
  since: z.iso.datetime().nullable(),
  gaps: z
    .array(z.object({ from: z.iso.datetime(), to: z.iso.datetime().nullable(), reason: z.string() }))
    .describe('Times of this attachment that are in no window, at most 50'),
  windows: z
    .array(
      z.object({
        instanceId: z.string().describe('The run of the target'),
        startedAt: z.iso.datetime(),
        endedAt: z.iso.datetime(),
        sizeBytes: z.int(),
        storedBytes: z.int().describe('Compressed'),
        pauseMs: z.number().nullable().describe("What its end stalled the target, by the target's clock"),
      }),
    )
    .describe('Newest first; the one that is recorded now is not among them'),
});
export type RecorderTarget = z.infer<typeof recorderTargetSchema>;

export const recorderSchema = z.object({
  isOn: z.boolean().describe('`--flight-recorder`; else it runs only while the next event is waited for'),
  intervalUs: z.int().describe('Between two samples'),
  windowMs: z.int(),
  keptMs: z.int().describe('How much is kept per target'),
  droppedWindows: z
    .int()
    .describe('Gone before their time because all windows together were over their bound of bytes'),
  threads: z.literal('main').describe('Which threads of each target are recorded'),
  targets: z.array(recorderTargetSchema),
});
export type Recorder = z.infer<typeof recorderSchema>;

export const recorderQuery = z.object({ target: targetId.optional().describe('Default: all') }).strict();
