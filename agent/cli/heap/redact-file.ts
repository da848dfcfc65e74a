import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { SidescopeError } from '../../../protocol/error.ts';
import { SnapshotRedactor } from '../../../protocol/heap-snapshot/redact.ts';
import type { RedactionCounts } from '../../../protocol/heap-snapshot/redact.ts';
import { isFileToReplace, openProfileFile, unusableFile } from '../profile-file.ts';
import type { ProgressLine } from '../progress.ts';

/** Writes beside `output` and renames at the end: half a file never has its name. Compressed when the name ends in `.gz`. */
export async function redactFile(options: {
  input: string;
  output: string;
  /** Whether `output` may be there already. */
  isForced: boolean;
  salt: Uint8Array;
  progress: ProgressLine;
  signal: AbortSignal;
}): Promise<RedactionCounts> {
  const { input, output, isForced, salt, progress, signal } = options;
  await using file = await openProfileFile(input, signal);
  if (await isSameFile(input, output)) {
    throw new SidescopeError('invalid-option', `${output} is the file to read itself`);
  }
  if ((await isFileToReplace(output)) && !isForced)
    throw new SidescopeError('unusable-file', `${output} is there already; --force writes over it`);
  const temporary = `${output}.${randomBytes(4).toString('hex')}.tmp`;
  let counts: RedactionCounts | undefined;
  async function* redacted(): AsyncGenerator<Uint8Array> {
    let written: Uint8Array[] = [];
    const redactor = new SnapshotRedactor({ salt, write: (bytes) => written.push(bytes) });
    const take = (): Uint8Array[] => {
      const taken = written;
      written = [];
      return taken;
    };
    for await (const chunk of file.chunks()) {
      redactor.push(chunk);
      progress.show(`redacted ${Math.floor((100 * file.readBytes) / file.sizeBytes)} %`);
      yield* take();
    }
    counts = redactor.finish();
    yield* take();
  }
  try {
    const target = createWriteStream(temporary, { mode: 0o600, flags: 'wx' });
    if (output.endsWith('.gz')) await pipeline(Readable.from(redacted()), createGzip({ level: 1 }), target, { signal });
    else await pipeline(Readable.from(redacted()), target, { signal });
    await rename(temporary, output);
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof SidescopeError) {
      throw new SidescopeError(error.code, `${input}: ${error.message}`, { cause: error });
    }
    throw unusableFile(output, error, 'written');
  }
  return counts!;
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  try {
    const [one, other] = await Promise.all([stat(a), stat(b)]);
    return one.ino === other.ino && one.dev === other.dev;
  } catch {
    // The second is not there, as it should be; what is wrong with the first was said when it was opened.
    return false;
  }
}
