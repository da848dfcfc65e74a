import { z } from 'zod';

export const sourceLineSchema = z.object({
  line: z.int(),
  column: z.int().describe('Of the first character of `text`: over 1 where it begins within a long line'),
  text: z.string().describe('At most 200 characters'),
  isCut: z.boolean().describe('The line goes on behind `text`'),
  selfSamples: z.int().describe('In which the function itself was executing this line'),
  selfShare: z.number().describe('Of those of the function: 0 to 1'),
});
export type SourceLine = z.infer<typeof sourceLineSchema>;

export const sourceFunctionSchema = z.object({
  functionName: z.string().describe('Empty when it has none; with its place as in exports with `source=original`'),
  url: z.string(),
  line: z.int(),
  column: z.int(),
  selfSamples: z.int(),
  selfMs: z.number(),
  from: z
    .enum(['source-map', 'original-file', 'script'])
    .nullable()
    .describe('Whose text it is: that in the source map, the original file, or the script that V8 runs'),
  file: z.string().nullable().describe("The file's path, or a source's name in its map; line numbers are those of it"),
  hasChanged: z.boolean().describe('The file is newer than the process: it may not be what ran'),
  hasLines: z.boolean().describe('False: V8 tells only the function, so its samples stand at its first line'),
  reason: z.string().nullable().describe('Why there are no lines'),
  lines: z.array(sourceLineSchema).describe('Around the lines with the most samples; not all of them adjoin'),
});
export type SourceFunction = z.infer<typeof sourceFunctionSchema>;

export const profileSourceSchema = z.object({
  profileId: z.string(),
  functions: z.array(sourceFunctionSchema).describe('Those with the most self time that are in a file, at most 20'),
  omittedLines: z.int().describe('Left out over the bound of 64 KiB'),
  reason: z.string().nullable().describe('Why there is no function at all'),
});
export type ProfileSource = z.infer<typeof profileSourceSchema>;
