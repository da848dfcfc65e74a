import { createWriteStream } from 'node:fs';
import fsp from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Destination } from './destination.ts';
import { SendError } from './send-error.ts';
import { fillKey } from './template.ts';

export interface DirectoryOptions {
  readonly directory: string;
  readonly key: string;
  readonly redact: boolean;
}

/** A file for each profile, and its metadata beside it as JSON. Written under another name, synced, renamed: what has the name is whole. The directory itself is not made. */
export function directory({ directory: root, key, redact }: DirectoryOptions): Destination {
  return {
    where: root,
    takes: ['cpu', 'heap-snapshot', 'heap-sampling'],
    async send(parcel, { signal }) {
      await using artifact = await parcel.artifact({ redact });
      const { stream, extension } = artifact;
      const file = path.join(root, `${fillKey(key, parcel.facts)}.${extension}`);
      const failure: { reading?: Error } = {};
      stream.once('error', (error) => (failure.reading = error));
      try {
        // Without `recursive` for the root: a volume that is not mounted must not become a folder of the image.
        await fsp.access(root, fsp.constants.W_OK);
        await fsp.mkdir(path.dirname(file), { recursive: true });
        const metadata = { ...parcel.facts.profile, ...parcel.facts.service, redacted: redact };
        await writeWhole(`${file}.json`, async (temporary) => {
          await fsp.writeFile(temporary, `${JSON.stringify(metadata, undefined, 1)}\n`, { mode: 0o640, flush: true });
        });
        await writeWhole(file, async (temporary) => {
          await pipeline(stream, createWriteStream(temporary, { mode: 0o640, flush: true }), { signal });
        });
        return (await fsp.stat(file)).size;
      } catch (error) {
        signal.throwIfAborted();
        if (failure.reading !== undefined) throw failure.reading;
        const { code, message } = error as NodeJS.ErrnoException;
        throw new SendError(`${root}: ${code ?? message}`, { reason: 'disk', next: 'destination-waits', cause: error });
      }
    },
    [Symbol.dispose]: () => undefined,
  };
}

async function writeWhole(file: string, write: (temporary: string) => Promise<void>): Promise<void> {
  // Always the same: what a killed agent left is written over by the next attempt.
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.tmp`);
  try {
    await write(temporary);
    await fsp.rename(temporary, file);
  } catch (error) {
    await fsp.rm(temporary, { force: true });
    throw error;
  }
}
