import { z } from 'zod';

/** `main`, or a worker: `worker-3`. Node announces nested workers flat, on the main session (18-26), so there is no parent. */
export const threadSchema = z.object({
  id: z.string(),
  kind: z.enum(['main', 'worker']),
  title: z.string().describe('What Node calls it: "main", "[worker 3] images"'),
  url: z.string().describe('The script that it runs'),
});
export type Thread = z.infer<typeof threadSchema>;

/** Who a process is. The pair of pid and timeOrigin is the identity: the inspector's own id changes at every start. */
export const targetIdentitySchema = z.object({
  instanceId: z.string().describe('One run of one process: changes when the target restarts'),
  pid: z.int(),
  ppid: z.int().nullable(),
  startedAt: z.iso.datetime().describe('performance.timeOrigin'),
  nodeVersion: z.string(),
  v8Version: z.string(),
  arch: z.string(),
  platform: z.string(),
  hostname: z.string(),
  container: z
    .string()
    .optional()
    .describe(
      "Of a target named by its pid: its container's id, or `mnt:` and its mount namespace, where that is not the agent's",
    ),
  title: z.string(),
  mainScript: z.string().nullable(),
  appName: z.string().nullable().describe('npm_package_name, where the target has it'),
  appVersion: z.string().nullable(),
});
export type TargetIdentity = z.infer<typeof targetIdentitySchema>;

export const captureRefSchema = z.object({
  operationId: z.string(),
  kind: z.enum(['cpu', 'heap-snapshot', 'heap-sampling', 'leak-search', 'heap-analysis']),
  thread: z.string(),
});
export type CaptureRef = z.infer<typeof captureRefSchema>;

const reasonSchema = z.object({ code: z.string(), message: z.string() });

export const targetStateSchema = z.discriminatedUnion('state', [
  z.object({
    state: z.literal('connecting'),
    attempts: z.int(),
    nextAttemptAt: z.iso.datetime().nullable(),
    lastFailure: reasonSchema.nullable(),
  }),
  z.object({ state: z.literal('attached'), since: z.iso.datetime(), captures: z.array(captureRefSchema) }),
  z.object({ state: z.literal('waiting-for-exit'), since: z.iso.datetime(), captures: z.array(captureRefSchema) }),
  z
    .object({ state: z.literal('standby'), since: z.iso.datetime() })
    .describe('The process is there and its inspector is closed: it is opened for each capture'),
  z.object({ state: z.literal('detached'), since: z.iso.datetime(), reason: reasonSchema }),
]);
export type TargetState = z.infer<typeof targetStateSchema>;

export const targetSchema = z.object({
  id: z.string().describe('Stable over restarts of the target: made from the option that names it'),
  address: z.string().describe('As given: host:port'),
  name: z.string().describe('For people: application name, or script, or address'),
  state: targetStateSchema,
  identity: targetIdentitySchema.nullable().describe('The process attached now, or the last one'),
  previous: z
    .array(z.object({ identity: targetIdentitySchema, endedAt: z.iso.datetime(), reason: reasonSchema }))
    .describe('Earlier runs, newest first, at most 10'),
  threads: z.array(threadSchema),
  detectedAgents: z.array(z.string()).describe('Profilers and APM agents seen in the target'),
  warnings: z.array(z.string()),
});
export type Target = z.infer<typeof targetSchema>;
