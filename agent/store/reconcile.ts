import { createHash } from 'node:crypto';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import path from 'node:path';
import type { Profile, ProfileKind } from '../../protocol/rest/profile.ts';
import { kindFacts } from './artifact.ts';
import type { DataDirectory } from './data-directory.ts';
import { isId } from './id.ts';
import type { StoreLog } from './log.ts';
import { readMetadata, writeMetadata } from './metadata-file.ts';
import type { ProfileIndex } from './profile-index.ts';
import { systemCode } from './storage-error.ts';

export interface Reconciled {
  /** Files of captures that an earlier agent did not finish. */
  orphansRemoved: number;
  /** Artifacts that were there and not in the index. */
  reindexed: number;
  /** Rows whose artifact was gone or not what was written. */
  rowsRemoved: number;
}

interface Shelf {
  readonly directory: DataDirectory;
  readonly index: ProfileIndex;
  readonly log: StoreLog;
}

/**
 * Makes files and index agree, at start, while nothing else runs. A capture is announced only after its metadata file,
 * its artifact and its row are there, made in this order; so whatever a crash left is either whole or was never promised.
 */
export async function reconcile(shelf: Shelf): Promise<Reconciled> {
  const result: Reconciled = { orphansRemoved: 0, reindexed: 0, rowsRemoved: 0 };
  await finishRenames(shelf);
  for (const name of await fsp.readdir(shelf.directory.temporary)) {
    await fsp.rm(path.join(shelf.directory.temporary, name), { recursive: true, force: true });
    shelf.log.warn({ file: name }, 'removed a temporary file of a capture that was not finished');
    result.orphansRemoved++;
  }
  await checkRows(shelf, result);
  await checkFiles(shelf, result);
  return result;
}

/** Metadata in place but the artifact still under its temporary name: the agent ended between the two renames. */
async function finishRenames({ directory, log }: Shelf): Promise<void> {
  for (const name of await fsp.readdir(directory.temporary)) {
    const file = parseName(name);
    if (file?.kind === undefined) continue;
    const metadata = readMetadata(directory, file.id);
    const stat = await fsp.lstat(path.join(directory.temporary, name));
    if (metadata === undefined || !stat.isFile() || stat.size !== metadata.profile.storedBytes) continue;
    await fsp.rename(path.join(directory.temporary, name), directory.artifact(file.id, file.kind));
    log.warn({ profileId: file.id }, 'recovered an artifact that was complete but not in its place');
  }
}

/** Index to files. */
async function checkRows({ directory, index, log }: Shelf, result: Reconciled): Promise<void> {
  for (const { id, kind } of index.artifacts()) {
    const profile = index.get(id);
    const file = directory.artifact(id, kind);
    const problem = profile === undefined ? 'the row has no profile' : await sizeProblem(file, profile);
    if (problem === undefined) {
      if (profile !== undefined && readMetadata(directory, id) === undefined) {
        index.put(profile, writeMetadata(directory, profile));
        log.warn({ profileId: id }, 'wrote the metadata file of an artifact again, from the index');
      }
      continue;
    }
    index.remove(id);
    await setAside(directory, file);
    await setAside(directory, directory.metadata(id));
    log.error({ profileId: id, problem }, 'removed a profile from the index: its artifact is not what was written');
    result.rowsRemoved++;
  }
}

/** Files to index: first the artifacts, then whatever belongs to none. */
async function checkFiles({ directory, index, log }: Shelf, result: Reconciled): Promise<void> {
  for (const name of await fsp.readdir(directory.profiles)) {
    const file = parseName(name);
    if (file?.kind === undefined || index.get(file.id) !== undefined) continue;
    const metadata = readMetadata(directory, file.id);
    const problem = await adoptionProblem(directory, { name, profile: metadata?.profile });
    if (metadata !== undefined && problem === undefined) {
      index.put(metadata.profile, metadata.sizeBytes);
      log.warn({ profileId: file.id }, 'indexed an artifact that was not in the index');
      result.reindexed++;
      continue;
    }
    await setAside(directory, path.join(directory.profiles, name));
    await setAside(directory, directory.metadata(file.id));
    log.error({ file: name, problem, setAside: directory.aside }, 'set aside an artifact that cannot be trusted');
  }
  for (const name of await fsp.readdir(directory.profiles)) {
    const file = parseName(name);
    if (file !== undefined && index.get(file.id) !== undefined) continue;
    const problem = file === undefined ? 'its name is not one that the store gives' : 'metadata without an artifact';
    await setAside(directory, path.join(directory.profiles, name));
    log.error({ file: name, problem, setAside: directory.aside }, 'set aside a file that belongs to no artifact');
  }
}

async function adoptionProblem(
  directory: DataDirectory,
  { name, profile }: { name: string; profile: Profile | undefined },
): Promise<string | undefined> {
  if (profile === undefined) return 'no readable metadata beside it';
  if (name !== artifactNameOf(profile)) return `its metadata is of another kind, ${profile.kind}`;
  const artifact = directory.artifact(profile.id, profile.kind);
  return (await sizeProblem(artifact, profile)) ?? (await contentProblem(artifact, profile));
}

async function sizeProblem(file: string, profile: Profile): Promise<string | undefined> {
  try {
    const stat = await fsp.lstat(file);
    if (!stat.isFile()) return 'not a regular file';
    return stat.size === profile.storedBytes ? undefined : `${stat.size} bytes instead of ${profile.storedBytes}`;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'the file is gone';
    throw error;
  }
}

/**
 * Plain files are hashed. Compressed ones may hold gigabytes, so at start only the member's two ends are looked at; every
 * download of one checks its length and CRC.
 */
async function contentProblem(file: string, profile: Profile): Promise<string | undefined> {
  const handle = await fsp.open(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    if (!kindFacts[profile.kind].compressed) {
      const sha256 = createHash('sha256');
      for await (const chunk of handle.createReadStream({ autoClose: false })) sha256.update(chunk as Buffer);
      return sha256.digest('hex') === profile.sha256 ? undefined : 'its SHA-256 is not the one in its metadata';
    }
    const magic = Buffer.alloc(2);
    const plainSize = Buffer.alloc(4);
    await handle.read(magic, 0, 2, 0);
    await handle.read(plainSize, 0, 4, Math.max(0, profile.storedBytes - 4));
    // RFC 1952: the member begins with 1f 8b and ends with its plain length modulo 2^32.
    const isWhole = magic.readUInt16BE() === 0x1f8b && plainSize.readUInt32LE() === profile.sizeBytes % 2 ** 32;
    return isWhole ? undefined : 'it is not the gzip member that its metadata describes';
  } finally {
    await handle.close();
  }
}

interface ArtifactName {
  readonly id: string;
  /** Undefined for a metadata file. */
  readonly kind: ProfileKind | undefined;
}

function parseName(name: string): ArtifactName | undefined {
  const dot = name.indexOf('.');
  const id = name.slice(0, Math.max(dot, 0));
  if (!isId(id)) return undefined;
  const ending = name.slice(dot + 1);
  if (ending === 'json') return { id, kind: undefined };
  const kind = kinds.find((candidate) => endingOf(candidate) === ending);
  return kind === undefined ? undefined : { id, kind };
}

const kinds = Object.keys(kindFacts) as ProfileKind[];

function endingOf(kind: ProfileKind): string {
  return kindFacts[kind].extension + (kindFacts[kind].compressed ? '.gz' : '');
}

function artifactNameOf(profile: Profile): string {
  return `${profile.id}.${endingOf(profile.kind)}`;
}

/** A link is removed, never followed or kept. */
async function setAside(directory: DataDirectory, file: string): Promise<void> {
  try {
    if ((await fsp.lstat(file)).isSymbolicLink()) await fsp.unlink(file);
    else await fsp.rename(file, path.join(directory.aside, path.basename(file)));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
