import type { z } from 'zod';
import { SidescopeError } from '../../protocol/error.ts';
import { invalidRequest, parameterProblem } from '../../protocol/rest/invalid-request.ts';
import type { ParameterProblem } from '../../protocol/rest/invalid-request.ts';
import { plainIssue } from './plain-issue.ts';

const maxReported = 20;
const maxTypeLength = 100;
const maxDepth = 8;

/** All problems at once: unknown names, names given twice, bad values. */
export function parseQuery(query: URLSearchParams, schema: z.ZodType | undefined): unknown {
  const problems: ParameterProblem[] = [];
  const values = new Map<string, string>();
  for (const [name, value] of query) {
    if (!values.has(name)) values.set(name, value);
    else problems.push(parameterProblem(name, 'must be given once', value));
  }
  const given = Object.fromEntries(values);
  if (schema === undefined) {
    for (const [name, value] of values)
      problems.push(parameterProblem(name, 'is not a parameter of this route', value));
  } else {
    const parsed = schema.safeParse(given, { error: plainIssue });
    if (parsed.success && problems.length === 0) return parsed.data;
    if (!parsed.success) problems.push(...problemsOf(parsed.error, given, 'query'));
  }
  if (problems.length > 0) throw invalidRequest(problems.slice(0, maxReported));
  return {};
}

/** The body of a route that takes one: JSON, declared as such, at most 64 KiB. */
export async function parseJsonBody(request: Request, schema: z.ZodType): Promise<unknown> {
  const mediaType = (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (mediaType !== 'application/json')
    throw new SidescopeError(
      'unsupported-media-type',
      `the body is declared as "${mediaType.slice(0, maxTypeLength)}"`,
    );
  const text = new TextDecoder().decode(await readBody(request, 64 * 1024));
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // V8's sentence quotes the text around the fault; the first characters say enough.
    throw invalidRequest([parameterProblem('body', 'is not JSON', text)]);
  }
  const oddity = oddityOf(body);
  if (oddity !== undefined) throw invalidRequest([parameterProblem(oddity.path.join('.'), oddity.message, undefined)]);
  const parsed = schema.safeParse(body, { error: plainIssue });
  if (!parsed.success) throw invalidRequest(problemsOf(parsed.error, body, 'body').slice(0, maxReported));
  return parsed.data;
}

interface Oddity {
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * What schemas are not asked about: they leave out what is called `__proto__` and say nothing, so that the client would believe that it is stored; and 64 KiB of
 * brackets are nested deeper than calls can be.
 */
function oddityOf(body: unknown): Oddity | undefined {
  const left: { readonly value: unknown; readonly path: readonly string[] }[] = [{ value: body, path: [] }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value, path } = next;
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      const at = [...path, key];
      if (key === '__proto__') return { path: at, message: 'is a name that is not taken' };
      if (at.length > maxDepth) return { path: at, message: `is nested deeper than ${maxDepth}` };
      left.push({ value: inner, path: at });
    }
  }
  return undefined;
}

/** Some clients send an empty form or `{}` along: a little is read and forgotten. */
export async function ignoreBody(request: Request): Promise<void> {
  await readBody(request, 1024);
}

async function readBody(request: Request, limitBytes: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > limitBytes)
      throw new SidescopeError('body-too-large', `the body has more than ${limitBytes} bytes`, {
        details: { limitBytes },
      });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function problemsOf(error: z.ZodError, input: unknown, whole: string): ParameterProblem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) =>
        parameterProblem([...issue.path, key].join('.'), 'is not known here', valueAt(input, [...issue.path, key])),
      );
    const parameter = issue.path.length === 0 ? whole : issue.path.join('.');
    return [parameterProblem(parameter, issue.message, valueAt(input, issue.path))];
  });
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return path.length === 0 ? undefined : value;
}
