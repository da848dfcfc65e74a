import { z } from 'zod';

/** The limit that the memory of a target is nearest to, and when it will be there if it goes on like this. */
export const memoryLimitSchema = z.object({
  pool: z
    .enum(['heap', 'container'])
    .describe(
      "heap: V8's limit of the old generation in the main thread, which is lower than `heapLimitBytes`; container: the cgroup's",
    ),
  usedBytes: z
    .number()
    .describe(
      "heap: all but the young generation; container: what the kubelet judges by, or the target's RSS where that is unknown",
    ),
  limitBytes: z.number(),
  usedPercent: z.number(),
  forecast: z
    .object({
      reachedAt: z.iso.datetime(),
      inMs: z.number(),
      bytesPerHour: z.number().describe('Growth of what is left after collections, over the last minutes'),
    })
    .nullable()
    .describe('null when it does not grow, or too little is known'),
});
export type MemoryLimit = z.infer<typeof memoryLimitSchema>;
