import type { z } from 'zod';

/** What is wrong and what the limit is, where the schema itself has no words for it; for zod's `error` of one parse. */
export function plainIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${choice(issue.values.map(String))}`;
    case 'too_small':
      return issue.minimum === 1 ? 'must not be empty' : `must have at least ${issue.minimum} characters`;
    case 'too_big':
      return `must have at most ${issue.maximum} characters`;
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'is no name that can be used here';
    default:
      return undefined;
  }
}

const kinds: Readonly<Record<string, string>> = {
  boolean: 'true or false',
  string: 'a text',
  object: 'an object',
  record: 'an object',
  number: 'a number',
};

function choice(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
