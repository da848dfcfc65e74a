import { z } from 'zod';
import { integer } from './requests.ts';

export const diffQuery = z
  .object({
    limit: integer(1, 500, 'functions').optional().describe('How many functions; default 50'),
    third: z.string().max(64).optional().describe('Id of a third heap snapshot, in any order of time'),
  })
  .strict();

const share = z.number().min(0).max(1);

export const functionChangeSchema = z.object({
  functionName: z.string(),
  url: z.string().describe('As in the source, where source maps tell'),
  line: z.int().describe('Of the later one, where it is in that; 0 where there is none'),
  kind: z.enum(['new', 'gone', 'changed']),
  shareBefore: share.describe('Self samples, of those in which the thread was not idle; self bytes, of all'),
  shareAfter: share,
  change: z.number().describe('Share after less share before'),
  selfBefore: z.number().describe('Samples, or bytes; halved samples where many profiles were merged'),
  selfAfter: z.number(),
  isSignificant: z.boolean().describe('Beyond what two samplings of the same program differ by'),
});
export type FunctionChange = z.infer<typeof functionChangeSchema>;

export const profileDiffSchema = z.object({
  kind: z.enum(['cpu', 'heap-sampling']),
  before: z.string().describe('Id of the profile that started earlier, whichever way they were asked for'),
  after: z.string(),
  activeBefore: z.number().describe('Samples in which the thread was not idle; bytes of heap sampling'),
  activeAfter: z.number(),
  busyBefore: share.describe('Of all samples; 1 for heap sampling'),
  busyAfter: share,
  functions: z.array(functionChangeSchema).describe('The largest change first, up or down'),
  tree: z
    .array(
      z.object({
        parent: z.int().describe('Index in this list; -1 for the root. A parent stands before its children'),
        functionName: z.string(),
        url: z.string(),
        line: z.int(),
        selfBefore: share,
        selfAfter: share,
        totalBefore: share,
        totalAfter: share,
      }),
    )
    .describe('Both call trees as one, the 1000 paths with the most in either; shares as above'),
});
export type ProfileDiff = z.infer<typeof profileDiffSchema>;
