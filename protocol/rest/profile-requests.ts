import { z } from 'zod';
import { integer } from './requests.ts';

const confidence = z
  .number()
  .min(0)
  .max(1)
  .describe('How likely it is that the samples are of this request; from 0.9 on they are sure');

/** A function inside one request. */
export const requestFunctionSchema = z.object({
  name: z.string(),
  where: z.object({ file: z.string(), line: z.int(), column: z.int() }).nullable().describe('null for native code'),
  category: z.string().describe('app, package, node, native, gc'),
  selfMs: z.number(),
  selfErrorMs: z.number().describe('One standard deviation of the sampling'),
  totalMs: z.number().describe('With what it called'),
  samples: z.number().describe('Parts of samples that several requests share are added up'),
});
export type RequestFunctionRow = z.infer<typeof requestFunctionSchema>;

export const profileRequestSchema = z.object({
  traceId: z.string(),
  spanId: z.string().describe('Its entry into the process; where no span of it came, the one that was read'),
  name: z.string(),
  route: z.string().nullable(),
  startedAt: z.iso.datetime().nullable().describe('null where no span of it came'),
  offsetMs: z.number().nullable().describe("From the profile's start; negative when it began before"),
  durationMs: z.number().nullable(),
  failed: z.boolean().nullable(),
  statusCode: z.int().nullable(),
  cpuMs: z.number().describe('Of this thread, while the profile was taken'),
  cpuErrorMs: z.number().describe('One standard deviation of the sampling'),
  sureMs: z.number().describe('Of it, what is attributed with a confidence of 0.9 or more'),
  share: z.number().describe('Of the time in which the thread was not idle'),
  confidence,
  topFunction: requestFunctionSchema.nullable().describe("The application's own with the most self time in it"),
});
export type ProfileRequest = z.infer<typeof profileRequestSchema>;

export const profileRequestsSchema = z.object({
  profileId: z.string(),
  requests: z.array(profileRequestSchema).describe('Most CPU time first'),
  total: z.int(),
  activeMs: z.number().describe('In which the thread was not idle'),
  attributedMs: z.number().describe('To requests'),
  outsideMs: z.number().describe('Outside of any request, as far as known'),
  readings: z.object({
    count: z.int().describe('How often the active span was read while JavaScript ran'),
    dropped: z.int(),
    problem: z.string().nullable().describe('Why it was not read, or not to the end'),
  }),
  reason: z.string().nullable().describe('Why there are no requests'),
});
export type ProfileRequests = z.infer<typeof profileRequestsSchema>;

export const profileRequestsQuery = z
  .object({ limit: integer(1, 500, 'requests').optional().describe('Default 50') })
  .strict();

/** What a request did on the CPU, from the profiles that were taken meanwhile. */
export const timelineCpuSchema = z.object({
  cpuMs: z.number(),
  cpuErrorMs: z.number().describe('One standard deviation of the sampling'),
  confidence,
  samples: z.number(),
  profileIds: z.array(z.string()),
  functions: z.array(requestFunctionSchema).describe('Most self time first'),
});
export type TimelineCpu = z.infer<typeof timelineCpuSchema>;
