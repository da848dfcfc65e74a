import { accessSync, constants, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './wait-for.ts';

/** As in `limited-cpu.ts`: version 1 has a hierarchy for the controller. */
const versionOne = '/sys/fs/cgroup/memory';
const versionTwo = '/sys/fs/cgroup';

let made = 0;

/** Whether this user may make a cgroup with a memory limit here. */
export function canLimitMemory(): boolean {
  const isOne = existsSync(join(versionOne, 'memory.oom_control')) || existsSync(join(versionOne, 'cgroup.procs'));
  const [directory, file] = isOne ? [versionOne, 'cgroup.procs'] : [versionTwo, 'cgroup.subtree_control'];
  try {
    for (const path of [directory, join(directory, file)]) accessSync(path, constants.W_OK);
    return true;
  } catch {
    // Read-only, of another user, or not there at all.
    return false;
  }
}

/** Puts a process into a cgroup of its own. What it has already counts elsewhere; swap is none. Dispose it behind the process's end. */
export function limitMemory(pid: number, bytes: number): AsyncDisposable {
  const isOne = existsSync(join(versionOne, 'cgroup.procs'));
  if (!isOne) writeFileSync(join(versionTwo, 'cgroup.subtree_control'), '+memory');
  const directory = join(isOne ? versionOne : versionTwo, `sidescope-memory-${process.pid}-${++made}`);
  mkdirSync(directory);
  writeFileSync(join(directory, isOne ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes));
  const swap = join(directory, isOne ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max');
  if (existsSync(swap)) writeFileSync(swap, isOne ? String(bytes) : '0');
  writeFileSync(join(directory, 'cgroup.procs'), String(pid));
  return {
    async [Symbol.asyncDispose]() {
      // Its last process may take a moment to be gone.
      await waitFor(() => (rmdirSync(directory), true), { message: `${directory} to be empty` });
    },
  };
}
