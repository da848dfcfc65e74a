import { randomBytes } from 'node:crypto';
import type { Dirent, Stats } from 'node:fs';
import fsp from 'node:fs/promises';
import path from 'node:path';
import { checkStateName, isStateName, type StateFile, type StateStorage } from './state-storage.ts';

/** What a crash left of a write. */
const staleTemporaryMs = 3_600_000;

/** After so long a call is one that may not end. */
const usualHangMs = 1_000;

/**
 * A directory that several agents may share, on a volume of several pods too. Files are written under another name and renamed. One call at a time: on a volume that
 * does not answer each holds one of the four threads that all files of the agent share. While one that was given up has not ended, all others are refused at once.
 */
export class StateDirectory implements StateStorage {
  readonly location: string;
  readonly #now: () => number;
  readonly #hangMs: number;
  #last: Promise<unknown> = Promise.resolve();
  #running: { readonly what: string; readonly startedMs: number } | undefined;
  /** Somebody gave it up, and it has not ended. */
  #isLeft = false;

  constructor(
    directory: string,
    { now = Date.now, hangMs = usualHangMs }: { now?: () => number; hangMs?: number } = {},
  ) {
    this.location = path.resolve(directory);
    this.#now = now;
    this.#hangMs = hangMs;
  }

  get hangs(): boolean {
    return this.#running !== undefined && performance.now() - this.#running.startedMs > this.#hangMs;
  }

  async folders(prefix: string, { max, signal }: { max: number; signal: AbortSignal }): Promise<string[]> {
    const entries = await this.#call('listing', { signal, work: () => entriesOf(this.#folder(prefix)) });
    return entries
      .filter((entry) => entry.isDirectory() && isStateName(entry.name))
      .map(({ name }) => name)
      .slice(0, max);
  }

  async files(prefix: string, { max, signal }: { max: number; signal: AbortSignal }): Promise<StateFile[]> {
    const found: StateFile[] = [];
    const folders = [prefix];
    for (let folder = folders.pop(); folder !== undefined && found.length < max; folder = folders.pop()) {
      const entries = await this.#call('listing', { signal, work: () => entriesOf(this.#folder(folder)) });
      for (const entry of entries) {
        const name = `${folder}${entry.name}`;
        if (!isStateName(name)) continue;
        if (entry.isDirectory()) folders.push(`${name}/`);
        else if (isTemporary(entry.name))
          await this.#call('deleting', { signal, work: () => this.#removeStale(this.#path(name)) });
        else if (entry.isFile() && found.length < max) {
          const stat = await this.#stat(this.#path(name), signal);
          if (stat !== undefined) found.push({ name, sizeBytes: stat.size });
        }
      }
    }
    return found;
  }

  async read(
    name: string,
    { bytesMax, signal }: { bytesMax: number; signal: AbortSignal },
  ): Promise<Uint8Array | undefined> {
    const file = this.#path(checkStateName(name));
    const stat = await this.#stat(file, signal);
    if (stat === undefined) return undefined;
    if (stat.size > bytesMax) throw new Error(`${file} has ${stat.size} B, the limit is ${bytesMax} B`);
    // Without the signal: with it the promise would end before the call does.
    return await this.#call('reading', {
      signal,
      work: () => fsp.readFile(file).catch(orElse(['ENOENT'], undefined)),
    });
  }

  async write(name: string, bytes: Uint8Array, { signal }: { signal: AbortSignal }): Promise<void> {
    const file = this.#path(checkStateName(name));
    await this.#call('writing', { signal, work: () => writeWhole(file, bytes) });
  }

  async delete(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    const file = this.#path(checkStateName(name));
    await this.#call('deleting', { signal, work: () => deleteWithFolder(file) });
  }

  async #call<T>(what: string, { signal, work }: { signal: AbortSignal; work: () => Promise<T> }): Promise<T> {
    signal.throwIfAborted();
    if (this.#isLeft)
      throw new Error(
        `${this.location} does not answer: ${this.#running?.what} has not ended since an earlier attempt`,
      );
    const call = this.#last.then(async () => {
      signal.throwIfAborted();
      this.#running = { what, startedMs: performance.now() };
      try {
        return await work();
      } finally {
        this.#running = undefined;
        this.#isLeft = false;
      }
    });
    // Whoever asked hears of it.
    this.#last = call.catch(() => undefined);
    try {
      return await until(signal, call);
    } finally {
      this.#isLeft ||= this.#running !== undefined && signal.aborted;
    }
  }

  async #stat(file: string, signal: AbortSignal): Promise<Stats | undefined> {
    return await this.#call('looking at a file', {
      signal,
      work: () => fsp.stat(file).catch(orElse(['ENOENT'], undefined)),
    });
  }

  #path(name: string): string {
    return path.join(this.location, ...name.split('/'));
  }

  #folder(prefix: string): string {
    return prefix === '' ? this.location : this.#path(checkStateName(prefix.slice(0, -1)));
  }

  async #removeStale(file: string): Promise<void> {
    const stat = await fsp.stat(file).catch(orElse(['ENOENT'], undefined));
    if (stat !== undefined && this.#now() - stat.mtimeMs > staleTemporaryMs) await fsp.rm(file, { force: true });
  }
}

/** Only the last file takes its folder along. */
async function deleteWithFolder(file: string): Promise<void> {
  await fsp.rm(file, { force: true });
  await fsp.rmdir(path.dirname(file)).catch(orElse(['ENOTEMPTY', 'EEXIST', 'ENOENT'], undefined));
}

async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeIn(path.dirname(file), () => fsp.writeFile(temporary, bytes, { mode: 0o600, flag: 'wx', flush: true }));
    await fsp.rename(temporary, file);
  } catch (error) {
    await fsp.rm(temporary, { force: true });
    throw error;
  }
}

/** Once more when another agent deleted the last file, and the folder with it, in between. */
async function writeIn(folder: string, write: () => Promise<void>): Promise<void> {
  const make = () => fsp.mkdir(folder, { recursive: true, mode: 0o700 });
  await make();
  try {
    await write();
  } catch (error) {
    orElse(['ENOENT'], undefined)(error);
    await make();
    await write();
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return await fsp.readdir(folder, { withFileTypes: true }).catch(orElse(['ENOENT'], [] as Dirent[]));
}

function isTemporary(name: string): boolean {
  return name.endsWith('.tmp');
}

/** A call to a volume that does not answer cannot be ended, only left. */
export async function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** For a file that may not be there. */
function orElse<T>(codes: readonly string[], value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && 'code' in error && codes.includes(String(error.code))) return value;
    throw error;
  };
}
