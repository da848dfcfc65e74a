import { createHash } from 'node:crypto';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { constants as zlibConstants, createGzip } from 'node:zlib';
import type { Gzip, ZlibOptions } from 'node:zlib';
import { SidescopeError } from '../../protocol/error.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { pacedGc } from '../telemetry/paced-gc.ts';
import type { ArtifactWriter, ProfileOutcome } from './artifact.ts';
import { storageError } from './storage-error.ts';

/** One trip to the thread pool per piece; hashing one takes about 0.1 ms of the event loop. */
const pieceBytes = 128 * 1024;

/** The buffer holds all that one piece can become, so that zlib never waits for a reader while its writer waits for zlib. */
const gzipOptions: ZlibOptions & { readableHighWaterMark: number } = {
  level: 1,
  chunkSize: pieceBytes,
  readableHighWaterMark: 4 * pieceBytes,
};

/** What the file turned out to be. */
export interface WrittenFile {
  readonly temporaryPath: string;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly sha256: string;
}

export interface WriterHost {
  /** Called before bytes go to disk; rejects with `disk-budget`. */
  claim(bytes: number): Promise<void>;
  /** Renames and indexes; leaves nothing behind when it rejects. */
  commit(file: WrittenFile, outcome: ProfileOutcome): Promise<Profile>;
  /** The file is finished or gone; called once. */
  release(): void;
}

interface WriterOptions {
  readonly profileId: string;
  readonly temporaryPath: string;
  readonly compressed: boolean;
  readonly host: WriterHost;
}

/** Calls may overlap; they are done one after the other. The first failure removes the file, and every later call meets it again. */
export class FileArtifactWriter implements ArtifactWriter {
  readonly profileId: string;
  readonly temporaryPath: string;
  readonly #handle: FileHandle;
  readonly #host: WriterHost;
  readonly #gzip: Gzip | undefined;
  readonly #sha256 = createHash('sha256');
  #sizeBytes = 0;
  #storedBytes = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #failure: SidescopeError | undefined;
  #isClosed = false;

  static async open(options: WriterOptions): Promise<FileArtifactWriter> {
    const flags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW;
    return new FileArtifactWriter(options, await fsp.open(options.temporaryPath, flags, 0o600));
  }

  private constructor({ profileId, temporaryPath, compressed, host }: WriterOptions, handle: FileHandle) {
    this.profileId = profileId;
    this.temporaryPath = temporaryPath;
    this.#host = host;
    this.#handle = handle;
    if (compressed) {
      this.#gzip = createGzip(gzipOptions);
      // The callback of the write reports it; without a listener it would end the process.
      this.#gzip.on('error', () => undefined);
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
        if (this.#failure !== undefined) throw this.#failure;
        const piece = bytes.subarray(offset, offset + pieceBytes);
        this.#sha256.update(piece);
        this.#sizeBytes += piece.length;
        if (this.#gzip === undefined) {
          await this.#store(piece);
        } else {
          await this.#compress(this.#gzip, piece);
        }
        pacedGc(piece.length);
      }
    });
  }

  flush(): Promise<void> {
    return this.#inTurn(async () => {
      const gzip = this.#gzip;
      if (gzip !== undefined) {
        await new Promise<void>((resolve) => {
          gzip.flush(zlibConstants.Z_SYNC_FLUSH, resolve);
        });
        await this.#drain(gzip);
      }
      await this.#handle.datasync();
    });
  }

  finish(outcome: ProfileOutcome): Promise<Profile> {
    return this.#inTurn(async () => {
      // `finish` of the stream comes before the trailer: its end has to be read.
      this.#gzip?.end();
      for await (const chunk of (this.#gzip ?? []) as AsyncIterable<Buffer>) await this.#store(chunk);
      await this.#handle.sync();
      await this.#handle.close();
      const profile = await this.#host.commit(
        {
          temporaryPath: this.temporaryPath,
          sizeBytes: this.#sizeBytes,
          storedBytes: this.#storedBytes,
          sha256: this.#sha256.digest('hex'),
        },
        outcome,
      );
      this.#isClosed = true;
      this.#failure = new SidescopeError('storage-failed', `artifact ${this.profileId} is finished`);
      this.#host.release();
      return profile;
    });
  }

  async abandon(): Promise<void> {
    this.#failure ??= new SidescopeError('capture-abandoned', `artifact ${this.profileId} was abandoned`);
    await this.#tail;
    await this.#remove();
  }

  /** Runs `work` after everything before it; its failure becomes the writer's and removes the file. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        return await work();
      } catch (error) {
        this.#failure ??= storageError(error, `writing artifact ${this.profileId}`);
        await this.#remove();
        throw this.#failure;
      }
    });
    // The caller has `turn`; the next in line only waits for it.
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  /** The callback comes when zlib has taken in the piece. Its output never fills the stream's buffer, which `drain` empties each time. */
  async #compress(gzip: Gzip, piece: Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      gzip.write(piece, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
    await this.#drain(gzip);
  }

  async #drain(gzip: Gzip): Promise<void> {
    for (;;) {
      const chunk = gzip.read() as Buffer | null;
      if (chunk === null) return;
      await this.#store(chunk);
      pacedGc(chunk.length);
    }
  }

  async #store(bytes: Uint8Array): Promise<void> {
    await this.#host.claim(bytes.length);
    for (let offset = 0; offset < bytes.length;) {
      offset += (await this.#handle.write(bytes, offset)).bytesWritten;
    }
    this.#storedBytes += bytes.length;
  }

  async #remove(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#gzip?.destroy();
    // Closed already when `finish` failed late; a close that fails must not keep the file from being removed.
    await this.#handle.close().catch(() => undefined);
    try {
      await fsp.rm(this.temporaryPath, { force: true });
    } finally {
      this.#host.release();
    }
  }
}
