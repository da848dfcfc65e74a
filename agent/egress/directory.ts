import { addAbortSignal } from 'node:stream';
import fsp from 'node:fs/promises';
import path from 'node:path';
import { until } from '../baseline/state-directory.ts';
import type { HeldTurn, Turns } from '../turns.ts';
import type { Destination } from './destination.ts';
import type { Parcel } from './parcel.ts';
import { SendError } from './send-error.ts';
import { fillKey } from './template.ts';

export interface DirectoryOptions {
  readonly directory: string;
  readonly key: string;
  readonly redact: boolean;
  /** Of all directories: a call to a volume that does not answer holds one of the threads that all files of the agent share. */
  readonly volumes: Turns;
  /** For each file operation. */
  readonly limitMs?: number | undefined;
}

/** A synced block of a slow volume takes seconds. */
const usualLimitMs = 30_000;

type Step = <T>(what: string, work: () => Promise<T>) => Promise<T>;

/**
 * A file for each profile, and its metadata beside it as JSON. Written under another name, synced, renamed: what has the name is whole. The directory itself is not
 * made. Each file operation has a time limit; one that does not end (a volume that is away) is left, and nothing else is tried there until it has ended.
 */
export function directory(options: DirectoryOptions): Destination {
  const { directory: root, limitMs = usualLimitMs, volumes } = options;
  let held: string | undefined;
  return {
    where: root,
    takes: ['cpu', 'heap-snapshot', 'heap-sampling'],
    get hangs() {
      return held !== undefined;
    },
    async send(parcel, { signal }) {
      if (held !== undefined) throw away(`${root}: ${held} has not ended since an earlier attempt`);
      const turn = await turnOf(volumes, { root, limitMs, signal });
      const limit = new AbortController();
      const gone = AbortSignal.any([signal, limit.signal]);
      const step: Step = async (what, work) => {
        gone.throwIfAborted();
        held = what;
        const timer = setTimeout(() => limit.abort(away(`${root}: ${what} took over ${limitMs} ms`)), limitMs);
        try {
          return await work();
        } finally {
          clearTimeout(timer);
        }
      };
      const work = writeParcel(parcel, { ...options, step, signal: gone }).finally(() => {
        held = undefined;
        turn[Symbol.dispose]();
      });
      return await until(gone, work);
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** Directories that do not answer may hold all of them. */
async function turnOf(
  volumes: Turns,
  { root, limitMs, signal }: { root: string; limitMs: number; signal: AbortSignal },
): Promise<HeldTurn> {
  const turn = volumes.take();
  const busy = away(`${root}: other directories are being written, or do not answer`);
  if (turn === undefined) throw busy;
  try {
    await until(AbortSignal.any([signal, AbortSignal.timeout(limitMs)]), turn.ready);
    return turn;
  } catch {
    void turn.ready.then(() => turn[Symbol.dispose]());
    signal.throwIfAborted();
    throw busy;
  }
}

async function writeParcel(
  parcel: Parcel,
  { directory: root, key, redact, step, signal }: DirectoryOptions & { step: Step; signal: AbortSignal },
): Promise<number> {
  await using artifact = await parcel.artifact({ redact });
  const { stream, extension } = artifact;
  const file = path.join(root, `${fillKey(key, parcel.facts)}.${extension}`);
  const failure: { reading?: Error } = {};
  stream.once('error', (error) => (failure.reading = error));
  addAbortSignal(signal, stream);
  try {
    // Without `recursive` for the root: a volume that is not mounted must not become a folder of the image.
    await step('access', () => fsp.access(root, fsp.constants.W_OK));
    await step('making a folder', () => fsp.mkdir(path.dirname(file), { recursive: true }));
    const metadata = { ...parcel.facts.profile, ...parcel.facts.service, redacted: redact };
    await writeWhole(`${file}.json`, [Buffer.from(`${JSON.stringify(metadata, undefined, 1)}\n`)], step);
    await writeWhole(file, stream, step);
    return (await step('reading its size', () => fsp.stat(file))).size;
  } catch (error) {
    signal.throwIfAborted();
    if (failure.reading !== undefined) throw failure.reading;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SendError(`${root}: ${code ?? message}`, { reason: 'disk', next: 'destination-waits', cause: error });
  }
}

async function writeWhole(
  file: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  step: Step,
): Promise<void> {
  // Always the same: what a killed agent left is written over by the next attempt.
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.tmp`);
  try {
    const handle = await step('opening a file', () => fsp.open(temporary, 'w', 0o640));
    try {
      for await (const chunk of chunks) await step('writing', () => handle.writeFile(chunk));
      await step('syncing', () => handle.sync());
    } finally {
      await handle.close();
    }
    await step('renaming', () => fsp.rename(temporary, file));
  } catch (error) {
    await fsp.rm(temporary, { force: true });
    throw error;
  }
}

function away(message: string): SendError {
  return new SendError(message, { reason: 'timeout', next: 'destination-waits' });
}
