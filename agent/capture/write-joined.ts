import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { WindowJoiner, type WindowGap } from '../../protocol/cpu-profile/join-windows.ts';
import { readRawProfileBytes } from '../../protocol/cpu-profile/read-bytes.ts';
import { SidescopeError } from '../../protocol/error.ts';

/** A window of a long profile: gzipped bytes, or a plain file. */
export type WindowSource = { readonly gzip: Uint8Array } | { readonly path: string };

export interface JoinedWindows {
  readonly windows: number;
  readonly gaps: readonly WindowGap[];
  /** Why windows are not in it. */
  readonly problems: readonly string[];
}

/** What a hostile target can make of one window. */
const windowBytesMax = 64 * 1024 * 1024;

/**
 * Joins windows, the earliest first, into one .cpuprofile at `path`. One window is in memory at a time. Rejects with `empty-profile` when none can be read,
 * `analysis-limit` when all together are too much.
 */
export async function writeJoined(path: string, sources: readonly WindowSource[]): Promise<JoinedWindows> {
  const joiner = new WindowJoiner();
  const problems: string[] = [];
  for (const source of sources) {
    try {
      const bytes = 'path' in source ? await readFile(source.path) : gunzip(source.gzip);
      joiner.add(readRawProfileBytes(bytes));
    } catch (error) {
      if (!(error instanceof SidescopeError) || error.code !== 'unreadable-profile') throw error;
      problems.push(`a window was left out: ${error.message}`);
    }
  }
  await pipeline(
    Readable.from(joiner.text(), { objectMode: true, highWaterMark: 2 }),
    createWriteStream(path, { mode: 0o600 }),
  );
  return { windows: joiner.windows, gaps: joiner.gaps, problems: problems.slice(0, 5) };
}

function gunzip(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: windowBytesMax });
  } catch (error) {
    throw new SidescopeError('unreadable-profile', 'its bytes are damaged', { cause: error });
  }
}
