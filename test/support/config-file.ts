import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ConfigFile extends AsyncDisposable {
  readonly path: string;
  write(text: string): Promise<void>;
}

/** A configuration file in a directory of its own, as `--config` names it. */
export async function writeConfigFile(text: string): Promise<ConfigFile> {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-config-'));
  const path = join(directory, 'sidescope.yaml');
  await writeFile(path, text);
  return {
    path,
    write: (changed) => writeFile(path, changed),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
