import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Redactions, StoredSnapshot } from './redactions.ts';

export interface RedactedFile {
  readonly path: string;
  /** Of the file as written: compressed with `gzip`. */
  readonly sizeBytes: number;
  /** Of the same bytes, hexadecimal. */
  readonly sha256: string;
}

/**
 * For those who must know a length before they send: a redacted copy at `path`, written beside it and renamed, so that half a
 * file never has its name. The child process redacts, the agent holds 256 KiB; waits while another redaction runs. The caller
 * holds the lease on the artifact, gives the disk and removes the file. Rejects as `Redactions.open` and its stream do, with
 * `signal.reason`, and with what the disk says; then no file is left.
 */
export async function writeRedactedFile(
  redactions: Pick<Redactions, 'openWhenFree'>,
  snapshot: StoredSnapshot,
  { path, gzip, signal }: { path: string; gzip: boolean; signal: AbortSignal },
): Promise<RedactedFile> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const source = await redactions.openWhenFree(snapshot, { gzip, signal });
  try {
    await pipeline(
      source,
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          sizeBytes += chunk.length;
          yield chunk;
        }
      },
      createWriteStream(temporary, { mode: 0o600, flags: 'wx' }),
      { signal },
    );
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    signal.throwIfAborted();
    throw error;
  }
  return { path, sizeBytes, sha256: hash.digest('hex') };
}
