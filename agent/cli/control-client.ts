import { request } from 'node:http';
import type { ZodType } from 'zod';
import { SidescopeError } from '../../protocol/error.ts';

const deadlineMs = 5_000;
const maxAnswerBytes = 64 * 1024;

export interface Question<T> {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly schema: ZodType<T>;
}

/** One question over an agent's local socket. Rejects with `no-agent`; its cause holds the system's code. */
export async function ask<T>(socketPath: string, { method, path, schema }: Question<T>): Promise<T> {
  const { status, text } = await exchange({ socketPath, method, path });
  const body = parseJson(text);
  if (status !== 200)
    throw new SidescopeError('no-agent', `the agent at ${socketPath} refused: ${detailOf(body, status)}`);
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new SidescopeError('no-agent', `what listens at ${socketPath} is no agent of this version`);
}

function exchange(where: {
  socketPath: string;
  method: string;
  path: string;
}): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const fail = (reason: string, cause?: unknown): void =>
    reject(new SidescopeError('no-agent', `the agent at ${where.socketPath} ${reason}`, { cause }));
  const signal = AbortSignal.timeout(deadlineMs);
  const outgoing = request({ ...where, signal, agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > maxAnswerBytes) response.destroy(new Error(`answered more than ${maxAnswerBytes} bytes`));
    });
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    response.on('error', (error) => fail(error.message, error));
  });
  outgoing.on('error', (error) => {
    if (signal.aborted) fail(`did not answer in ${deadlineMs} ms`, signal.reason);
    else fail(`cannot be reached: ${error.message}`, error);
  });
  outgoing.end();
  return promise;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whatever it is, it is no agent; the schema says so.
    return undefined;
  }
}

function detailOf(body: unknown, status: number): string {
  const detail = typeof body === 'object' && body !== null && 'detail' in body ? body.detail : undefined;
  return typeof detail === 'string' ? detail : `status ${status}`;
}
