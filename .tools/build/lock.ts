import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A page build takes some seconds on a slow machine; several waiting builds each need their turn. */
const longestWaitMs = 300_000;

/**
 * One build at a time per tree; the next one waits. SQLite's lock is the kernel's, so a killed build leaves nothing
 * behind that would have to be recognised as stale.
 */
export function takeBuildLock(root: string, what: 'build' | 'image' = 'build'): Disposable {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const database = new DatabaseSync(join(root, `.cache/${what}.lock`), { timeout: longestWaitMs });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw new Error(`another build has held .cache/${what}.lock for ${longestWaitMs / 1000} s`, { cause: error });
  }
  return { [Symbol.dispose]: () => database.close() };
}
