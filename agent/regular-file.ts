import { constants, type Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { SidescopeError } from '../protocol/error.ts';

/**
 * The text of a file that is read again and again: credentials, keys, authorities. Rejects with `unusable-file` and a sentence that begins with the path and holds
 * nothing of what is in it: also for a pipe, which gives its text once and keeps the next reader waiting for ever, for a directory or a device, and above `maxBytes`.
 */
export async function readRegularFile(path: string, { maxBytes }: { maxBytes: number }): Promise<string> {
  try {
    // Opening a pipe for reading waits for whoever writes to it, unless it is told not to.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stats = await file.stat();
    if (!stats.isFile())
      throw new SidescopeError(
        'unusable-file',
        `${path} is ${kindOf(stats)}; it is read more than once and must be a file`,
      );
    if (stats.size > maxBytes) throw tooLong(path, { sizeBytes: stats.size, maxBytes });
    const buffer = new Uint8Array(Math.min(stats.size, maxBytes) + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) return new TextDecoder().decode(buffer.subarray(0, length));
      length += bytesRead;
    }
    throw new SidescopeError('unusable-file', `${path} is being written: it grew while it was read`);
  } catch (error) {
    throw explained(path, error);
  }
}

/**
 * Changes whenever the file does, also when Kubernetes swaps the symbolic link above it; undefined for what is no regular file. Rejects with `unusable-file` where
 * there is nothing.
 */
export async function fileVersion(path: string): Promise<string | undefined> {
  try {
    const stats = await stat(path);
    const { ino, mtimeMs, ctimeMs, size } = stats;
    return stats.isFile() ? `${ino}:${mtimeMs}:${ctimeMs}:${size}` : undefined;
  } catch (error) {
    throw explained(path, error);
  }
}

export function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSymbolicLink()) return 'a symbolic link';
  return stats.isSocket() ? 'a socket' : 'a device';
}

function tooLong(path: string, { sizeBytes, maxBytes }: { sizeBytes: number; maxBytes: number }): SidescopeError {
  return new SidescopeError('unusable-file', `${path} has ${sizeBytes} bytes; the limit is ${maxBytes}`);
}

function explained(path: string, error: unknown): SidescopeError {
  if (error instanceof SidescopeError) return error;
  // A socket cannot even be opened: ENXIO.
  const { code } = error as NodeJS.ErrnoException;
  return new SidescopeError('unusable-file', `${path} cannot be read (${code})`, { cause: error });
}
