import { z } from 'zod';

/** Lines and columns are 1-based; 0 where there is no place. */
export const placeShape = {
  functionName: z.string().describe('Empty for anonymous functions'),
  url: z.string(),
  lineNumber: z.int(),
  columnNumber: z.int(),
};

export const stackFrameSchema = z.object({
  ...placeShape,
  original: z.object(placeShape).nullable().describe('As in the source, where a source map says so'),
});
export type ThreadStackFrame = z.infer<typeof stackFrameSchema>;

export const activeSpanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  name: z.string(),
  sampled: z.boolean(),
  route: z.string().nullable().describe('`http.route`, where the span is one of the SDK and has it'),
});

export const threadStackSchema = z.object({
  thread: z.string(),
  title: z.string(),
  state: z
    .enum(['running', 'idle', 'no-answer'])
    .describe('idle: it waits for events; no-answer: `error` says why, most often a long native call'),
  frames: z.array(stackFrameSchema).describe('The running function first, at most 64'),
  hasMore: z.boolean().describe('There are frames beyond those'),
  span: activeSpanSchema.nullable().describe('The OpenTelemetry span whose work this is'),
  summary: z.string().describe('In words: "idle, waiting for events"'),
  turnMs: z
    .number()
    .nullable()
    .describe('How long its event loop has been in this turn, by the heartbeat of the stall watch; 0 while it is idle'),
  turnUnknown: z.string().nullable().describe('Why `turnMs` is null'),
  waitedMs: z.number().describe('Time to the answer: long ones are evidence of native work'),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});

/** One moment of a target: nothing of it is stored. */
export const stacksSchema = z.object({
  targetId: z.string(),
  takenAt: z.iso.datetime(),
  threads: z.array(threadStackSchema),
  omittedThreads: z.int().describe('Threads beyond the bound of 256'),
  warnings: z
    .array(z.string())
    .optional()
    .describe('Scripts without a source map that can be used, or why none was looked for'),
});
export type Stacks = z.infer<typeof stacksSchema>;
export type ThreadStack = z.infer<typeof threadStackSchema>;
