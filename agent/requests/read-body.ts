import type { IncomingMessage } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { SidescopeError } from '../../protocol/error.ts';
import { pacedGc } from '../telemetry/paced-gc.ts';

/** Bytes that may be held by bodies on their way in and those that wait to be decoded, all together. */
export interface ByteBudget {
  /** False when there is no room; then nothing is taken. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

export interface BodyLimits {
  /** Of one body, as sent and decompressed. */
  readonly bodyBytesMax: number;
  readonly budget: ByteBudget;
}

/**
 * The whole body as sent; its bytes are taken from the budget and the caller gives them back. Rejects with `body-too-large` or `otlp-busy` as soon as a bound is
 * reached, the rest unread, and with `invalid-request` when the sender leaves.
 */
export async function readBody(request: IncomingMessage, { bodyBytesMax, budget }: BodyLimits): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // The default would destroy the socket with an early exit, and the answer with it.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      const bytes = chunk as Buffer;
      if (length + bytes.length > bodyBytesMax) throw tooLarge(bodyBytesMax, `over ${bodyBytesMax}`);
      if (!budget.take(bytes.length)) throw tooBusy();
      length += bytes.length;
      chunks.push(bytes);
    }
  } catch (error) {
    budget.give(length);
    if (error instanceof SidescopeError) throw error;
    throw new SidescopeError('invalid-request', `the request was cut after ${length} bytes of its body`, {
      cause: error,
    });
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : await joined(chunks, length);
}

/**
 * In steps: 60 MB at once are 25 ms in which nothing else gets its turn, most of it for the new memory's pages. Takes the chunks out of their list, so that half
 * of what the body costs can go before the other half is there.
 */
async function joined(chunks: Buffer[], length: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(length);
  let at = 0;
  let stepEnd = copyStepBytes;
  for (const [index, chunk] of chunks.entries()) {
    if (at >= stepEnd) {
      await turn();
      stepEnd = at + copyStepBytes;
    }
    at += chunk.copy(whole, at);
    chunks[index] = copied;
    pacedGc(chunk.length);
  }
  return whole;
}

const copied = Buffer.alloc(0);
/** Ten times what an exporter sends. */
const copyStepBytes = 1024 * 1024;

/** All members of a gzip body. Stops at the bound: a bomb costs that much memory and no more. In zlib's own threads. */
export async function inflate(body: Uint8Array, bodyBytesMax: number): Promise<Buffer> {
  try {
    // Spans shrink to a seventh: mostly one piece of output.
    const chunkSize = Math.min(Math.max(body.length * 8, 4_096), 1024 * 1024);
    return await promisifiedGunzip(body, { maxOutputLength: bodyBytesMax, chunkSize });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bodyBytesMax, `over ${bodyBytesMax} decompressed`);
    throw new SidescopeError('unreadable-otlp', `the body is not gzip: ${code}`, { cause: error });
  }
}

const promisifiedGunzip = promisify(gunzip);

export function tooLarge(limit: number, seen: number | string): SidescopeError {
  return new SidescopeError('body-too-large', `the body has ${seen} bytes; at most ${limit} are taken`);
}

export function tooBusy(): SidescopeError {
  return new SidescopeError('otlp-busy', 'too many bytes of earlier requests wait to be decoded');
}
