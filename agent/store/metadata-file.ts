import fs from 'node:fs';
import { profileSchema } from '../../protocol/rest/profile.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { DataDirectory } from './data-directory.ts';

/** A profile's metadata is a few kB; at most 32 labels and the warnings are added. */
const maxBytes = 1024 * 1024;

/**
 * Every artifact has its metadata beside it in a file of its own, fsynced before the artifact gets its name: so the index
 * can always be made again, and the artifact stays byte for byte what is downloaded (a trailer would change that).
 * Written whole under a temporary name, then renamed. Synchronous: a few kB, at the end of a capture or for one PATCH.
 * Returns the file's size.
 */
export function writeMetadata(directory: DataDirectory, profile: Profile): number {
  const bytes = Buffer.from(`${JSON.stringify(profile)}\n`);
  const temporary = directory.temporaryMetadata(profile.id);
  try {
    const flags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC | fs.constants.O_NOFOLLOW;
    const descriptor = fs.openSync(temporary, flags, 0o600);
    try {
      fs.writeFileSync(descriptor, bytes);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, directory.metadata(profile.id));
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
  return bytes.length;
}

/** Undefined when the file is missing, a link, too big, not JSON, not a profile, or of another id. */
export function readMetadata(
  directory: DataDirectory,
  id: string,
): { profile: Profile; sizeBytes: number } | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(directory.metadata(id), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    const stat = fs.fstatSync(descriptor);
    if (!stat.isFile() || stat.size > maxBytes) return undefined;
    const profile = profileSchema.parse(JSON.parse(fs.readFileSync(descriptor, 'utf8')));
    return profile.id === id ? { profile, sizeBytes: stat.size } : undefined;
  } catch {
    // Reconciling asks "is there usable metadata?"; whatever the reason for a no is, it does the same and logs the file.
    return undefined;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}
