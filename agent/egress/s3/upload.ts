import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { pacedGc } from '../../telemetry/paced-gc.ts';
import { SendError } from '../send-error.ts';
import type { HashedBytes, S3Client } from './client.ts';

/** One is in memory at a time; S3 takes 10,000 of them, which are 80 GB, and none below 5 MiB but the last. */
const partBytes = 8 * 1024 * 1024;
const partAttempts = 3;

export interface StreamUpload {
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
  /** Told the upload's id, so that parts of an agent that died can be removed; undefined when none are left. */
  readonly note: (uploadId: string | undefined) => void;
}

/** Bytes of unknown length, in parts of 8 MiB where they are more than one. What fails is removed at the other side, as far as that answers. */
export async function uploadStream(
  client: S3Client,
  key: string,
  { source, ...upload }: StreamUpload & { readonly source: AsyncIterable<Uint8Array> },
): Promise<number> {
  const { headers, signal, note } = upload;
  let uploadId: string | undefined;
  const etags: string[] = [];
  let sizeBytes = 0;
  try {
    for await (const { body, isLast } of partsOf(source)) {
      sizeBytes += body.bytes.length;
      if (isLast && uploadId === undefined) {
        await client.put(key, body, { headers, signal });
        return sizeBytes;
      }
      if (uploadId === undefined) note((uploadId = await client.startParts(key, { headers, signal })));
      etags.push(await putPart(client, key, { uploadId, number: etags.length + 1, body, signal }));
    }
    if (uploadId !== undefined) await client.completeParts(key, { uploadId, etags, signal });
    note(undefined);
    return sizeBytes;
  } catch (error) {
    if (uploadId !== undefined && !signal.aborted) await removeParts(client, key, { uploadId, note });
    throw error;
  }
}

/** Of an attempt before; what fails here is tried again with the next attempt. */
export async function removeParts(
  client: S3Client,
  key: string,
  { uploadId, note }: { uploadId: string; note: StreamUpload['note'] },
): Promise<void> {
  try {
    await client.abortParts(key, { uploadId, signal: AbortSignal.timeout(10_000) });
    note(undefined);
  } catch (error) {
    // The failure before is the one worth telling, and the id stays noted.
    if (!(error instanceof SendError) && !(error instanceof DOMException)) throw error;
  }
}

/** A part is in memory: it goes again by itself before the whole has to. */
async function putPart(client: S3Client, key: string, part: Parameters<S3Client['putPart']>[1]): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.putPart(key, part);
    } catch (error) {
      const isPassing = error instanceof SendError && ['cut', 'timeout', 'server-error'].includes(error.reason);
      if (!isPassing || attempt === partAttempts) throw error;
      await delay(250 * attempt, undefined, { signal: part.signal });
    }
  }
}

async function* partsOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<{ body: HashedBytes; isLast: boolean }> {
  // One piece of memory for all parts: each is sent before the next is filled.
  const buffer = Buffer.allocUnsafeSlow(partBytes);
  let filled = 0;
  let hash = createHash('sha256');
  const take = (): HashedBytes => {
    const body = { bytes: buffer.subarray(0, filled), sha256: hash.digest('hex') };
    filled = 0;
    hash = createHash('sha256');
    return body;
  };
  for await (const chunk of source) {
    pacedGc(chunk.length);
    for (let taken = 0; taken < chunk.length;) {
      if (filled === partBytes) yield { body: take(), isLast: false };
      const piece = chunk.subarray(taken, taken + partBytes - filled);
      buffer.set(piece, filled);
      hash.update(piece);
      filled += piece.length;
      taken += piece.length;
    }
  }
  yield { body: take(), isLast: true };
}
