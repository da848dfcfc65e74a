import { versionRecordSchema, type VersionRecord } from '../../protocol/rest/baseline.ts';
import { newId } from '../store/id.ts';
import { BoundTally } from './bound-tally.ts';
import { joinRecords } from './record-join.ts';
import {
  folderName,
  folderOf,
  isProfile,
  isRecord,
  largestFirst,
  profileName,
  recordName,
  samplesOf,
  type VersionKey,
} from './state-names.ts';
import type { StateFile, StateStorage } from './state-storage.ts';
import {
  decodeStoredProfile,
  encodeStoredProfile,
  withoutCovered,
  type NamedProfile,
  type StoredProfile,
} from './stored-profile.ts';
import { StateWatch, type StateLog } from './state-watch.ts';

interface StateOptions {
  readonly storage: StateStorage;
  readonly log: StateLog;
  readonly bounds?: BoundTally | undefined;
}

/** Of one service: what is not kept is what was seen first. */
const versionsMax = 20;
const servicesMax = 200;
const recordBytesMax = 2 * 2 ** 20;
const profileBytesMax = 8 * 2 ** 20;
/** Of one service. There is about one record and up to some ten profiles per version, more only while several agents write. */
const filesMax = 2_000;
/** Read at once. What is beyond is merged by and by. */
export const profilesReadMax = 16;

/**
 * What is known of versions of services, where several agents may write at any moment:
 *
 *     <service>/<version>/baseline.<id>.json             a VersionRecord
 *     <service>/<version>/profile.<id>.<samples>.gz      CPU profiles, merged
 *     <service>/<version>/<either>.unusable              what could not be read, the last one
 *
 * Files never change. Whoever has something to add writes what is there and the new as one more file, and then deletes those that are in it: what others
 * write meanwhile stays beside it until somebody joins them. So nothing is lost without any lock; a record that is read twice is the same, and a profile names its
 * sources. Nothing rejects: what goes wrong is logged and is in `problem` until it goes right again.
 */
export class BaselineState {
  readonly #storage: StateStorage;
  readonly #watch: StateWatch;
  readonly #bounds: BoundTally;

  constructor({ storage, log, bounds = new BoundTally() }: StateOptions) {
    this.#storage = storage;
    this.#watch = new StateWatch({ location: storage.location, log });
    this.#bounds = bounds;
  }

  get location(): string {
    return this.#storage.location;
  }

  get hangs(): boolean {
    return this.#storage.hangs === true;
  }

  /** Why baselines are not kept, or are not what they should be. */
  get problem(): string | undefined {
    return this.#watch.problem;
  }

  async read(key: VersionKey): Promise<VersionRecord | undefined> {
    return await this.#watch.attempt('reading a baseline', async (signal) => {
      const [found] = await this.#records(folderOf(key), signal);
      return found?.record;
    });
  }

  /** Of all versions of a service, the one seen first first. */
  async versions(service: string): Promise<VersionRecord[]> {
    const found = await this.#watch.attempt('listing baselines', async (signal) => {
      const records = (await this.#records(`${folderName(service)}/`, signal)).map(({ record }) => record);
      return records.filter((record) => record.service === service).sort((a, b) => firstMs(a) - firstMs(b));
    });
    return found ?? [];
  }

  /** Adds it to what is there. Resolves with both, or undefined when it could not be written. */
  async write(record: Omit<VersionRecord, 'format' | 'formatVersion'>): Promise<VersionRecord | undefined> {
    return await this.#watch.inTurn('writing a baseline', async (signal) => {
      const folder = folderOf(record);
      const [known] = await this.#records(folder, signal);
      if (known === undefined) await this.#checkRoom(record.service, signal);
      const added: VersionRecord = { format: 'sidescope-baseline', formatVersion: 1, ...record };
      const joined = known === undefined ? added : joinRecords(known.record, added);
      await this.#storage.write(recordName(folder, newId()), this.#encodeRecord(joined), { signal });
      for (const name of known?.names ?? []) await this.#storage.delete(name, { signal });
      if (known === undefined) await this.#prune(record.service, signal);
      return joined;
    });
  }

  /** All of its profiles: together they have each once. Those beyond 16 are not among them, the smallest. */
  async readProfiles(key: VersionKey): Promise<NamedProfile[]> {
    const found = await this.#watch.attempt('reading profiles', (signal) => this.#profiles(folderOf(key), signal));
    return found ?? [];
  }

  /** As `ProfileWorker` made it. Resolves with how many files and samples there are then, or undefined when it could not be written. */
  async addProfile(
    key: VersionKey,
    { tree, samples }: { tree: Uint8Array; samples: number },
  ): Promise<{ files: number; samples: number } | undefined> {
    return await this.#watch.inTurn('writing a profile', async (signal) => {
      const id = newId();
      await this.#writeProfile(
        folderOf(key),
        { id, samples, profile: { sources: [id], olderSources: 0, tree } },
        signal,
      );
      const files = (await this.#files(folderOf(key), signal)).filter(isProfile);
      return { files: files.length, samples: files.reduce((sum, { name }) => sum + samplesOf(name), 0) };
    });
  }

  /** Writes what was merged of `profiles`, which then go. */
  async replaceProfiles(
    key: VersionKey,
    { profiles, tree, samples }: { profiles: readonly NamedProfile[]; tree: Uint8Array; samples: number },
  ): Promise<void> {
    await this.#watch.inTurn('merging profiles', async (signal) => {
      const sources = [...new Set(profiles.flatMap((profile) => profile.sources))].sort();
      const olderSources = profiles.reduce((sum, profile) => sum + profile.olderSources, 0);
      const profile = { sources, olderSources, tree };
      await this.#writeProfile(folderOf(key), { id: newId(), samples, profile }, signal);
      for (const { name } of profiles) await this.#storage.delete(name, { signal });
      return true;
    });
  }

  /** What a merge or a comparison found to be no profile of ours. */
  async setProfileAside({ name, tree }: NamedProfile, why: string): Promise<void> {
    await this.#watch.inTurn('setting a profile aside', async (signal) => {
      await this.#setAside(name, { bytes: tree, why, signal });
      return true;
    });
  }

  /** When all that was to be written is. */
  async settled(): Promise<void> {
    await this.#watch.settled();
  }

  /** What is under way may take so much longer: the storage may not answer at all. */
  stop(graceMs: number): void {
    this.#watch.stop(graceMs);
  }

  /** By version: what its files say together, and their names. */
  async #records(prefix: string, signal: AbortSignal): Promise<{ record: VersionRecord; names: string[] }[]> {
    const byFolder = new Map<string, { record: VersionRecord; names: string[] }>();
    const read = async (name: string): Promise<boolean> => {
      const bytes = await this.#storage.read(name, { bytesMax: recordBytesMax, signal });
      if (bytes === undefined) return false;
      const record = await this.#decodeRecord(name, bytes, signal);
      if (record === undefined) return true;
      const folder = name.slice(0, name.lastIndexOf('/'));
      const known = byFolder.get(folder);
      if (known === undefined) byFolder.set(folder, { record, names: [name] });
      else byFolder.set(folder, { record: joinRecords(known.record, record), names: [...known.names, name] });
      return true;
    };
    await this.#readAll({ prefix, isWanted: isRecord, max: filesMax, read }, signal);
    return [...byFolder.values()];
  }

  async #profiles(folder: string, signal: AbortSignal): Promise<NamedProfile[]> {
    const found: NamedProfile[] = [];
    const read = async (name: string): Promise<boolean> => {
      const bytes = await this.#storage.read(name, { bytesMax: profileBytesMax, signal });
      if (bytes === undefined) return false;
      try {
        found.push({ name, ...(await decodeStoredProfile(bytes)) });
      } catch (error) {
        await this.#setAside(name, { bytes, why: error instanceof Error ? error.message : String(error), signal });
      }
      return true;
    };
    await this.#readAll({ prefix: folder, isWanted: isProfile, max: profilesReadMax, read }, signal);
    const { kept, covered } = withoutCovered(found);
    for (const { name } of covered) await this.#storage.delete(name, { signal });
    return kept;
  }

  /** What went away while it was to be read is in another file now: that one is on the next list. */
  async #readAll({ prefix, isWanted, max, read }: Reading, signal: AbortSignal): Promise<void> {
    const seen = new Set<string>();
    for (let attempt = 0; attempt < 5; attempt++) {
      const files = (await this.#files(prefix, signal)).filter((file) => isWanted(file) && !seen.has(file.name));
      let isComplete = true;
      for (const { name } of files.sort(largestFirst).slice(0, max)) {
        if (await read(name)) seen.add(name);
        else isComplete = false;
      }
      if (isComplete) return;
    }
  }

  async #files(prefix: string, signal: AbortSignal): Promise<StateFile[]> {
    return await this.#storage.files(prefix, { max: filesMax, signal });
  }

  async #writeProfile(
    folder: string,
    { id, samples, profile }: { id: string; samples: number; profile: StoredProfile },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#storage.write(profileName(folder, { id, samples }), await encodeStoredProfile(profile), { signal });
  }

  #encodeRecord(record: VersionRecord): Uint8Array {
    const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
    if (bytes.length <= recordBytesMax || record.baseline === null) return bytes;
    // Labels may be long; what is compared are the measures.
    this.#bounds.add('state-series');
    return Buffer.from(`${JSON.stringify({ ...record, baseline: { ...record.baseline, series: [] } })}\n`);
  }

  async #decodeRecord(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<VersionRecord | undefined> {
    const parsed = versionRecordSchema.safeParse(jsonOf(bytes));
    if (parsed.success) return parsed.data;
    const { path: at = [], message } = parsed.error.issues[0] ?? { message: 'no baseline' };
    await this.#setAside(name, { bytes, why: `${at.join('.') || 'the file'}: ${message}`, signal });
    return undefined;
  }

  /** It is kept beside, for whoever wants to know; another agent of a newer version may have written it. */
  async #setAside(
    name: string,
    { bytes, why, signal }: { bytes: Uint8Array; why: string; signal: AbortSignal },
  ): Promise<void> {
    const aside = name.replace(/[^/]*$/, (file) => `${file.split('.')[0]}.unusable`);
    await this.#storage.write(aside, bytes, { signal });
    await this.#storage.delete(name, { signal });
    this.#watch.lost(`${name} could not be used and was set aside as ${aside}: ${why.slice(0, 300)}`);
  }

  async #checkRoom(service: string, signal: AbortSignal): Promise<void> {
    const services = await this.#storage.folders('', { max: servicesMax + 1, signal });
    if (services.length < servicesMax || services.includes(folderName(service))) return;
    this.#bounds.add('state-services');
    throw new Error(`there are ${services.length} services in it, the limit is ${servicesMax}`);
  }

  /** After a new version came: the versions seen first go. */
  async #prune(service: string, signal: AbortSignal): Promise<void> {
    const prefix = `${folderName(service)}/`;
    const records = await this.#records(prefix, signal);
    const old = records.sort((a, b) => firstMs(b.record) - firstMs(a.record)).slice(versionsMax);
    for (const { record } of old) {
      for (const { name } of await this.#files(folderOf(record), signal)) await this.#storage.delete(name, { signal });
      this.#bounds.add('state-versions');
    }
  }
}

interface Reading {
  readonly prefix: string;
  readonly isWanted: (file: StateFile) => boolean;
  readonly max: number;
  /** False when it is not there any more. */
  readonly read: (name: string) => Promise<boolean>;
}

function firstMs({ firstSeenAt }: VersionRecord): number {
  return Date.parse(firstSeenAt);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // The schema refuses it, as anything else that is no record.
    return undefined;
  }
}
