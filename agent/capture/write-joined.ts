import { createReadStream, createWriteStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { WindowJoiner, type WindowGap } from '../../protocol/cpu-profile/join-windows.ts';
import { readRawProfileBytes } from '../../protocol/cpu-profile/read-bytes.ts';
import { SidescopeError } from '../../protocol/error.ts';

/** A gzipped window: its bytes, or where they are in a file. */
export type WindowSource =
  { readonly gzip: Uint8Array } | { readonly path: string; readonly at: number; readonly length: number };

export interface JoinedWindows {
  readonly windows: number;
  readonly gaps: readonly WindowGap[];
  /** Why windows are not in it. */
  readonly problems: readonly string[];
}

/** What a hostile target can make of one window. */
const windowBytesMax = 64 * 1024 * 1024;

/**
 * Joins windows, the earliest first, into one .cpuprofile at `path`. One window is in memory at a time: its samples go to two files beside it, because the nodes come
 * first in the result. `removeJoined` is for the caller, also when this rejects or its process ends. Rejects with `empty-profile` when none can be read,
 * `analysis-limit` when all together are too much.
 */
export async function writeJoined(path: string, sources: readonly WindowSource[]): Promise<JoinedWindows> {
  const joiner = new WindowJoiner();
  const problems: string[] = [];
  {
    await using ids = await open(idsPath(path), 'w', 0o600);
    await using deltas = await open(deltasPath(path), 'w', 0o600);
    for (const source of sources) {
      try {
        const bytes = 'path' in source ? await readPart(source) : source.gzip;
        joiner.add(readRawProfileBytes(gunzipWindow(bytes)));
      } catch (error) {
        if (!(error instanceof SidescopeError) || error.code !== 'unreadable-profile') throw error;
        problems.push(`a window was left out: ${error.message}`);
      }
      const taken = joiner.takeSamples();
      await ids.writeFile(taken.ids);
      await deltas.writeFile(taken.timeDeltas);
    }
  }
  await pipeline(Readable.from(wholeText(joiner, path)), createWriteStream(path, { mode: 0o600 }));
  return { windows: joiner.windows, gaps: joiner.gaps, problems: problems.slice(0, 5) };
}

/** The result, and what was beside it. */
export async function removeJoined(path: string): Promise<void> {
  for (const file of [path, idsPath(path), deltasPath(path)]) await rm(file, { force: true });
}

function idsPath(path: string): string {
  return `${path}.ids`;
}

function deltasPath(path: string): string {
  return `${path}.deltas`;
}

async function* wholeText(joiner: WindowJoiner, path: string): AsyncGenerator<string | Buffer> {
  yield* joiner.head();
  yield* createReadStream(idsPath(path)) as AsyncIterable<Buffer>;
  yield '],"timeDeltas":[';
  yield* createReadStream(deltasPath(path)) as AsyncIterable<Buffer>;
  yield ']}';
}

async function readPart({ path, at, length }: { path: string; at: number; length: number }): Promise<Uint8Array> {
  await using file = await open(path, 'r');
  const bytes = new Uint8Array(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  return bytes.subarray(0, bytesRead);
}

/** Throws `unreadable-profile`, also beyond 64 MiB. */
export function gunzipWindow(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: windowBytesMax });
  } catch (error) {
    throw new SidescopeError('unreadable-profile', 'its bytes are damaged', { cause: error });
  }
}
