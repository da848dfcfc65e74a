import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Readable, pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SidescopeError } from '../../protocol/error.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { pacedGc } from '../telemetry/paced-gc.ts';
import type { ArtifactReader } from './artifact.ts';
import { kindFacts } from './artifact.ts';
import { reasonOf, storageError } from './storage-error.ts';

const chunkBytes = 64 * 1024;

interface ReaderOptions {
  readonly profile: Profile;
  readonly path: string;
  readonly handle: FileHandle;
  /** Called once, when the file is closed. */
  readonly release: () => void;
}

/** Reads one artifact from a descriptor, so that what is read cannot change its name or be replaced. Streams may run side by side. */
export class FileArtifactReader implements ArtifactReader {
  readonly profile: Profile;
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #release: () => void;
  readonly #streams = new Set<Readable>();
  #disposal: Promise<void> | undefined;

  constructor({ profile, path, handle, release }: ReaderOptions) {
    this.profile = profile;
    this.path = path;
    this.#handle = handle;
    this.#release = release;
  }

  plain(range: { start: number; end: number } = { start: 0, end: this.profile.sizeBytes }): Readable {
    const { start, end } = range;
    if (!(start >= 0 && start <= end && end <= this.profile.sizeBytes)) {
      throw new SidescopeError(
        'range-not-satisfiable',
        `bytes ${start} to ${end} of artifact ${this.profile.id}, which has ${this.profile.sizeBytes}`,
      );
    }
    const source = { handle: this.#handle, profile: this.profile };
    return this.#stream(
      kindFacts[this.profile.kind].compressed ? inflatedBytes(source, range) : plainBytes(source, range),
    );
  }

  stored(): Readable | undefined {
    if (!kindFacts[this.profile.kind].compressed) return undefined;
    return this.#stream(
      fileBytes({ handle: this.#handle, profile: this.profile }, { start: 0, end: this.profile.storedBytes }),
    );
  }

  /** Ends the streams that still run. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= (async () => {
      for (const stream of this.#streams) stream.destroy();
      try {
        await this.#handle.close();
      } finally {
        this.#release();
      }
    })();
    await this.#disposal;
  }

  #stream(bytes: AsyncGenerator<Uint8Array>): Readable {
    const stream = Readable.from(bytes, { objectMode: false, highWaterMark: chunkBytes });
    if (this.#disposal === undefined) {
      this.#streams.add(stream);
      stream.once('close', () => this.#streams.delete(stream));
    } else {
      stream.destroy(new SidescopeError('storage-failed', `the reader of artifact ${this.profile.id} is closed`));
    }
    return stream;
  }
}

interface Source {
  readonly handle: FileHandle;
  readonly profile: Profile;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** A read of the whole file is checked against its SHA-256. */
async function* plainBytes(source: Source, range: Range): AsyncGenerator<Uint8Array> {
  const isWhole = range.start === 0 && range.end === source.profile.sizeBytes;
  if (!isWhole) {
    yield* fileBytes(source, range);
    return;
  }
  const sha256 = createHash('sha256');
  let held: Uint8Array | undefined;
  for await (const chunk of fileBytes(source, range)) {
    sha256.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (sha256.digest('hex') !== source.profile.sha256) {
    throw damaged(source.profile, 'its SHA-256 is not the one of what was written');
  }
  // Kept back until the check: a download that has all its bytes is taken for whole, whatever comes after.
  if (held !== undefined) yield held;
}

/** Decompress and skip: 2.5 s per GB of a real snapshot, nearly all of it in zlib. A read up to the end also checks the length and, through zlib, the CRC. */
async function* inflatedBytes({ handle, profile }: Source, { start, end }: Range): AsyncGenerator<Uint8Array> {
  const input = Readable.from(fileBytes({ handle, profile }, { start: 0, end: profile.storedBytes }), {
    objectMode: false,
    highWaterMark: chunkBytes,
  });
  const gunzip = createGunzip({ chunkSize: chunkBytes });
  // The failure arrives in the loop below, through `gunzip`.
  pipeline(input, gunzip, () => undefined);
  let position = 0;
  let held: Uint8Array | undefined;
  try {
    for await (const piece of gunzip as AsyncIterable<Buffer>) {
      pacedGc(piece.length);
      const from = Math.max(start - position, 0);
      const to = Math.min(end - position, piece.length);
      position += piece.length;
      if (position > profile.sizeBytes) throw damaged(profile, `it has more than ${profile.sizeBytes} plain bytes`);
      if (to > from) {
        if (held !== undefined) yield held;
        held = piece.subarray(from, to);
      }
      if (position >= end && end < profile.sizeBytes) break;
    }
    if (end === profile.sizeBytes && position !== end) {
      throw damaged(profile, `it ends after ${position} of ${end} plain bytes`);
    }
    if (held !== undefined) yield held;
  } catch (error) {
    throw error instanceof SidescopeError ? error : damaged(profile, reasonOf(error));
  } finally {
    gunzip.destroy();
    input.destroy();
  }
}

/** Each chunk gets memory of its own, since it waits in sockets for as long as they like. */
async function* fileBytes({ handle, profile }: Source, { start, end }: Range): AsyncGenerator<Uint8Array> {
  for (let position = start; position < end;) {
    const wanted = Math.min(chunkBytes, end - position);
    const buffer = Buffer.allocUnsafeSlow(wanted);
    const { bytesRead } = await handle.read(buffer, 0, wanted, position).catch((error: unknown) => {
      throw storageError(error, `reading artifact ${profile.id}`);
    });
    if (bytesRead === 0) throw damaged(profile, `the file ends at byte ${position} of ${profile.storedBytes}`);
    position += bytesRead;
    pacedGc(bytesRead);
    yield bytesRead === wanted ? buffer : buffer.subarray(0, bytesRead);
  }
}

function damaged(profile: Profile, what: string): SidescopeError {
  return new SidescopeError('damaged-profile', `artifact ${profile.id}: ${what}`);
}
