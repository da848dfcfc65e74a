import { createHash, randomBytes } from 'node:crypto';
import fsp from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { versionRecordSchema, type VersionRecord } from '../../protocol/rest/baseline.ts';

export interface VersionKey {
  readonly service: string;
  readonly version: string | null;
}

interface StateOptions {
  readonly directory: string;
  readonly log: Record<'info' | 'warn' | 'error', (facts: object, message: string) => void>;
  readonly now?: () => number;
}

/** Of one service: what is not kept is what was seen first. */
const versionsMax = 20;
const servicesMax = 200;
const recordBytesMax = 2 * 2 ** 20;
const profileBytesMax = 8 * 2 ** 20;
const staleTemporaryMs = 3_600_000;

/**
 * What is known of versions of services, in a directory that several agents may share, pods of other versions among them:
 *
 *     <directory>/<service>/<version>/baseline.json      a VersionRecord
 *     <directory>/<service>/<version>/profile.json.gz    its CPU profiles, merged
 *     <directory>/<service>/<version>/*.unusable         what could not be read, the last one
 *
 * Files are written whole under another name and renamed. Nothing rejects: what goes wrong is logged and is in `problem` until it goes right again.
 */
export class BaselineState {
  readonly directory: string;
  readonly #log: StateOptions['log'];
  readonly #now: () => number;
  #problem: string | undefined;
  #unusable: string | undefined;
  /** One at a time: two writes of one record must not overtake each other. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor({ directory, log, now = Date.now }: StateOptions) {
    this.directory = path.resolve(directory);
    this.#log = log;
    this.#now = now;
  }

  /** Why baselines are not kept, or are not what they should be. */
  get problem(): string | undefined {
    return this.#problem ?? this.#unusable;
  }

  async read(key: VersionKey): Promise<VersionRecord | undefined> {
    return await this.#attempt('reading a baseline', () => this.#readRecord(this.#versionPath(key)));
  }

  /** Of all versions of a service, the one seen first first. */
  async versions(service: string): Promise<VersionRecord[]> {
    const found = await this.#attempt('listing baselines', async () => {
      const folder = path.join(this.directory, folderName(service));
      const names = await fsp.readdir(folder).catch(orElse('ENOENT', [] as string[]));
      const records: VersionRecord[] = [];
      for (const name of names.slice(0, 10 * versionsMax)) {
        const record = await this.#readRecord(path.join(folder, name));
        if (record?.service === service) records.push(record);
      }
      return records.sort((a, b) => Date.parse(a.firstSeenAt) - Date.parse(b.firstSeenAt));
    });
    return found ?? [];
  }

  /** False when it could not be written. */
  async write(record: Omit<VersionRecord, 'format' | 'formatVersion'>): Promise<boolean> {
    const file: VersionRecord = { format: 'sidescope-baseline', formatVersion: 1, ...record };
    const bytes = Buffer.from(`${JSON.stringify(file)}\n`);
    return await this.#write(record, { name: 'baseline.json', bytes });
  }

  /** As `ProfileWorker.merge` made it. */
  async readProfile(key: VersionKey): Promise<Uint8Array | undefined> {
    return await this.#attempt('reading a merged profile', async () => {
      const file = path.join(this.#versionPath(key), 'profile.json.gz');
      const bytes = await readBounded(file, profileBytesMax);
      if (bytes === undefined) return undefined;
      try {
        return await promisify(gunzip)(bytes, { maxOutputLength: 8 * profileBytesMax });
      } catch (error) {
        await this.#setAside(file, error instanceof Error ? error.message : String(error));
        return undefined;
      }
    });
  }

  async writeProfile(key: VersionKey, tree: Uint8Array): Promise<boolean> {
    return await this.#write(key, { name: 'profile.json.gz', bytes: await promisify(gzip)(tree) });
  }

  /** What a merge or a comparison found to be no profile of ours. */
  async setProfileAside(key: VersionKey, why: string): Promise<void> {
    await this.#attempt('setting a profile aside', () =>
      this.#setAside(path.join(this.#versionPath(key), 'profile.json.gz'), why),
    );
  }

  /** When all that was to be written is. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(key: VersionKey, { name, bytes }: { name: string; bytes: Uint8Array }): Promise<boolean> {
    const work = this.#writing.then(() =>
      this.#attempt(`writing ${name}`, async () => {
        const folder = this.#versionPath(key);
        const isNew = (await fsp.mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined;
        await writeWhole(path.join(folder, name), bytes);
        if (isNew) await this.#prune(path.dirname(folder));
        return true;
      }),
    );
    this.#writing = work;
    return (await work) ?? false;
  }

  #versionPath({ service, version }: VersionKey): string {
    return path.join(this.directory, folderName(service), folderName(version ?? ''));
  }

  async #readRecord(folder: string): Promise<VersionRecord | undefined> {
    const file = path.join(folder, 'baseline.json');
    const bytes = await readBounded(file, recordBytesMax);
    if (bytes === undefined) return undefined;
    const parsed = versionRecordSchema.safeParse(jsonOf(bytes));
    if (parsed.success) return parsed.data;
    const { path: at = [], message } = parsed.error.issues[0] ?? { message: 'no baseline' };
    await this.#setAside(file, `${at.join('.') || 'the file'}: ${message}`.slice(0, 300));
    return undefined;
  }

  /** It is kept beside, for whoever wants to know; another agent of a newer version may have written it. */
  async #setAside(file: string, why: string): Promise<void> {
    this.#unusable = `${path.relative(this.directory, file)} could not be used and was set aside as *.unusable: ${why}`;
    this.#log.error({ file }, `a baseline is lost: ${this.#unusable}`);
    await fsp.rename(file, `${file}.unusable`).catch(orElse('ENOENT', undefined));
  }

  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      if (this.#problem !== undefined) this.#log.info({ directory: this.directory }, 'the state directory works again');
      this.#problem = undefined;
      return result;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#problem === undefined)
        this.#log.error(
          { directory: this.directory, reason },
          `${what} failed: what is normal is known to this agent only`,
        );
      this.#problem = `${what} failed: ${reason}`.slice(0, 500);
      return undefined;
    }
  }

  /** After a new version came: the versions seen first go, and what a crash left. */
  async #prune(serviceFolder: string): Promise<void> {
    const services = await fsp.readdir(this.directory);
    if (services.length > servicesMax)
      throw new Error(`there are ${services.length} services in it, the limit is ${servicesMax}`);
    const folders = (await fsp.readdir(serviceFolder)).map((name) => path.join(serviceFolder, name));
    for (const folder of folders) await removeStale(folder, this.#now());
    const dated: { folder: string; firstMs: number }[] = [];
    for (const folder of folders) {
      const record = await this.#readRecord(folder);
      dated.push({ folder, firstMs: record === undefined ? this.#now() : Date.parse(record.firstSeenAt) });
    }
    dated.sort((a, b) => b.firstMs - a.firstMs);
    for (const { folder } of dated.slice(versionsMax)) await fsp.rm(folder, { recursive: true, force: true });
  }
}

/** Readable, and different for different names. */
function folderName(name: string): string {
  const readable = name
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 60);
  return `${readable}-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`;
}

async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await fsp.writeFile(temporary, bytes, { mode: 0o600, flag: 'wx', flush: true });
    await fsp.rename(temporary, file);
  } catch (error) {
    await fsp.rm(temporary, { force: true });
    throw error;
  }
}

/** Undefined when there is no such file. */
async function readBounded(file: string, bytesMax: number): Promise<Buffer | undefined> {
  const stat = await fsp.stat(file).catch(orElse('ENOENT', undefined));
  if (stat === undefined) return undefined;
  if (stat.size > bytesMax) throw new Error(`${file} has ${stat.size} B, the limit is ${bytesMax} B`);
  return await fsp.readFile(file).catch(orElse('ENOENT', undefined));
}

async function removeStale(folder: string, nowMs: number): Promise<void> {
  for (const name of await fsp.readdir(folder).catch(orElse('ENOTDIR', [] as string[]))) {
    if (!name.endsWith('.tmp')) continue;
    const file = path.join(folder, name);
    const stat = await fsp.stat(file).catch(orElse('ENOENT', undefined));
    if (stat !== undefined && nowMs - stat.mtimeMs > staleTemporaryMs) await fsp.rm(file, { force: true });
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // The schema refuses it, as anything else that is no record.
    return undefined;
  }
}

/** For a file that may not be there. */
function orElse<T>(code: string, value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === code) return value;
    throw error;
  };
}
