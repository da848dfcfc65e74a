import { z } from 'zod';
import { operationSchema } from './operation.ts';
import { profileSchema } from './profile.ts';
import { targetSchema } from './target.ts';

export const targetListSchema = z.object({
  targets: z
    .array(targetSchema)
    .describe(
      'Those that are watched, and behind them, detached, those of `auto` that have ended in the last 30 minutes',
    ),
  omitted: z
    .int()
    .optional()
    .describe(
      'How many more Node.js processes `auto` found at its last look: 32 targets are watched at most. Older agents do not say',
    ),
});
export type TargetList = z.infer<typeof targetListSchema>;

export const operationListSchema = z.object({ operations: z.array(operationSchema).describe('Newest first') });
export type OperationList = z.infer<typeof operationListSchema>;

export const profileListSchema = z.object({
  profiles: z.array(profileSchema).describe('Newest first'),
  nextCursor: z.string().nullable().describe('`cursor` of the next page; null on the last one'),
  total: z.int().describe('All that match the filter'),
});
export type ProfileList = z.infer<typeof profileListSchema>;

export const deletedProfilesSchema = z.object({
  deleted: z.array(z.string()),
  kept: z.object({ pinned: z.int(), inUse: z.int() }).describe('Matched, and not deleted'),
});
export type DeletedProfiles = z.infer<typeof deletedProfilesSchema>;
