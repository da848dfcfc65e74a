import type { Stats } from 'node:fs';
import { lstat, open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import type { FileHandle } from 'node:fs/promises';
import { SidescopeError } from '../../protocol/error.ts';
import { kindOf } from '../regular-file.ts';

export interface ProfileFile extends AsyncDisposable {
  readonly path: string;
  /** On disk. */
  readonly sizeBytes: number;
  /** Of the plain bytes: unknown for a compressed file. */
  readonly plainBytes: number | undefined;
  /** Of the bytes on disk, how many were read so far. */
  readonly readBytes: number;
  /** The plain bytes, in chunks of at most 1 MiB; each is only valid until the next. */
  chunks(): AsyncGenerator<Uint8Array>;
}

const CHUNK_BYTES = 1024 * 1024;

/** Opens a file that is plain or one gzip member, by its first bytes. Rejects with `unusable-file`; a broken gzip with `unreadable-profile`. */
export async function openProfileFile(path: string, signal: AbortSignal): Promise<ProfileFile> {
  const file = await openOrExplain(path);
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(2);
    const isGzip = (await file.read(head, 0, 2, 0)).bytesRead === 2 && head[0] === 0x1f && head[1] === 0x8b;
    const source = new PlainSource(file, signal);
    return {
      path,
      sizeBytes: size,
      plainBytes: isGzip ? undefined : size,
      get readBytes() {
        return source.readBytes;
      },
      chunks: () => (isGzip ? gunzipped(source) : source.chunks()),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

class PlainSource {
  readBytes = 0;
  readonly #file: FileHandle;
  readonly #signal: AbortSignal;

  constructor(file: FileHandle, signal: AbortSignal) {
    this.#file = file;
    this.#signal = signal;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      this.#signal.throwIfAborted();
      const { bytesRead } = await this.#file.read(buffer, 0, CHUNK_BYTES, this.readBytes);
      if (bytesRead === 0) return;
      this.readBytes += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
}

async function* gunzipped(source: PlainSource): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const feeding = (async () => {
    for await (const chunk of source.chunks()) {
      // A copy: the source reads the next into the same memory, and zlib works on a thread.
      if (!gunzip.write(Buffer.from(chunk))) await drained(gunzip);
    }
    gunzip.end();
  })();
  feeding.catch((error: unknown) => gunzip.destroy(error as Error));
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw new SidescopeError('unreadable-profile', `its gzip data is cut short or damaged (${error.code})`, {
      cause: error,
    });
  } finally {
    gunzip.destroy();
  }
}

function drained(gunzip: ReturnType<typeof createGunzip>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      gunzip.off('drain', done).off('close', done);
      resolve();
    };
    gunzip.on('drain', done).on('close', done);
  });
}

function isZlibError(error: unknown): error is { code: string } {
  return error instanceof Error && 'code' in error && /^Z_/.test(String(error.code));
}

async function openOrExplain(path: string): Promise<FileHandle> {
  try {
    // Before it is opened: opening a pipe waits for whoever writes to it, and not even Ctrl-C ends that.
    const stats = await stat(path);
    if (!stats.isFile()) throw noRegularFile(path, stats);
    return await open(path);
  } catch (error) {
    throw unusableFile(path, error, 'read');
  }
}

/**
 * Whether a file is there already whose name is to be taken: what is written is renamed to it, and renamed onto /dev/null, there is no /dev/null any more. Rejects
 * with `unusable-file` for all but files, and where nobody can look.
 */
export async function isFileToReplace(path: string): Promise<boolean> {
  try {
    const stats = await lstat(path);
    if (!stats.isFile()) throw noRegularFile(path, stats);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw unusableFile(path, error, 'written');
  }
}

function noRegularFile(path: string, stats: Stats): SidescopeError {
  return new SidescopeError('unusable-file', `${path} is ${kindOf(stats)}; it must be a file`);
}

export function unusableFile(path: string, error: unknown, what: 'read' | 'written'): unknown {
  if (error instanceof SidescopeError || !(error instanceof Error) || !('code' in error)) return error;
  return new SidescopeError('unusable-file', `${path} cannot be ${what}: ${String(error.code)}`, { cause: error });
}
