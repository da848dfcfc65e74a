import { access, constants, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isFileToReplace, unusableFile } from '../profile-file.ts';

/** `sidescope-20260131T120500Z.pb.gz`, in the working directory. */
export function usualOutput(now: Date): string {
  return `sidescope-${now.toISOString().replace(/[-:]|\.\d+/g, '')}.pb.gz`;
}

/** Before minutes of sampling that could not be kept. Rejects with `unusable-file`. */
export async function checkOutput(path: string): Promise<void> {
  await isFileToReplace(path);
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw unusableFile(path, error, 'written');
  }
}

/** Gzipped, under another name first, so that what is there is whole. Readable by its owner only: functions and paths are nobody else's. Resolves with its size. */
export async function writeOutput(path: string, bytes: Uint8Array): Promise<number> {
  const packed = await promisify(gzip)(bytes);
  const temporary = `${path}.${process.pid}.part`;
  try {
    await writeFile(temporary, packed, { mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw unusableFile(path, error, 'written');
  }
  return packed.length;
}
