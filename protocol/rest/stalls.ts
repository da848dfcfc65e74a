import { z } from 'zod';
import { activeSpanSchema, stackFrameSchema } from './stacks.ts';

export const stallFrameSchema = stackFrameSchema;

/** A block of a thread's event loop, or half a minute of the main thread without idle time. */
export const stallSchema = z.object({
  id: z.string(),
  targetId: z.string(),
  instanceId: z.string(),
  thread: z.string().describe('`main`, or a worker: `worker-3`'),
  kind: z.enum(['blocked', 'saturated']),
  state: z
    .enum(['ongoing', 'ended', 'cut'])
    .describe('cut: the target, the connection or the agent ended before the stall did'),
  startedAt: z.iso.datetime().describe('To one interval of the heartbeat'),
  noticedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  durationMs: z.number().describe('So far, while it is ongoing'),
  verdict: z
    .enum(['javascript', 'native', 'stopped', 'starved', 'unknown'])
    .describe(
      'native: the thread did not answer, so the frames are where it was just before or after; stopped: by a signal; starved: for at least half of it there was no CPU, and the rest is below the threshold: the program would not have been late on a machine that had one',
    ),
  summary: z.string().describe('In words'),
  dominant: stallFrameSchema
    .extend({
      share: z.number().describe('Of the samples'),
      from: z
        .enum(['stacks', 'cpu-profile'])
        .describe('cpu-profile: of the one that ran meanwhile, whose sampler sees into native work too'),
    })
    .nullable()
    .describe('The function, and the line in it, that was on the CPU most'),
  samples: z.object({
    asked: z.int(),
    running: z.int().describe('Answered with a stack'),
    idle: z.int().describe('Answered out of the event loop itself'),
    longestAnswerMs: z.number(),
  }),
  tree: z
    .array(
      stallFrameSchema.extend({
        parent: z.int().describe('Index in this list; -1 for a root'),
        samples: z.int(),
        self: z.int().describe('Samples in which it was the running function'),
      }),
    )
    .describe('Merged stacks, callers before callees, at most 200 nodes'),
  span: activeSpanSchema
    .extend({ share: z.number().describe('Of the samples') })
    .nullable()
    .describe('The OpenTelemetry span whose work it was most'),
  gcMs: z
    .number()
    .nullable()
    .describe('Collected garbage between notice and end, at least; null where that is not known'),
  throttledMs: z
    .number()
    .nullable()
    .describe("Kept off the CPU by the cgroup's limit meanwhile; null where that cannot be read"),
  waitedMs: z
    .number()
    .nullable()
    .describe(
      'Of it, ready to run and without a CPU, throttling included: the main thread, or, where that is more and no stack was seen, who passes its answers on (the thread of its inspector, the agent). Null where the kernel does not show it, and for workers',
    ),
  cpuOperationId: z.string().nullable().describe('A CPU profile that ran meanwhile and has the same time in it'),
  cpuProfileAgrees: z
    .boolean()
    .nullable()
    .describe('Whether it has the same function on the CPU most in that time; null without one, and until it ends'),
});
export type Stall = z.infer<typeof stallSchema>;
export type StallFrame = z.infer<typeof stallFrameSchema>;

export const stallListSchema = z.object({
  stalls: z.array(stallSchema).describe('Newest first'),
  nextCursor: z.string().nullable().describe('`cursor` of the next page; null on the last one'),
});
export type StallList = z.infer<typeof stallListSchema>;
