import { accessSync, constants, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './wait-for.ts';

/** Version 1 has a hierarchy for the controller; in version 2 it must have been given to the children of the root. */
const versionOne = '/sys/fs/cgroup/cpu';
const versionTwo = '/sys/fs/cgroup';
const periodUs = 100_000;

let made = 0;

/** Whether this user may make a cgroup with a CPU limit here: root, where the controller is there. */
export function canLimitCpu(): boolean {
  const [directory, file] = existsSync(join(versionOne, 'cpu.cfs_quota_us'))
    ? [versionOne, 'cpu.cfs_quota_us']
    : [versionTwo, 'cgroup.subtree_control'];
  try {
    for (const path of [directory, join(directory, file)]) accessSync(path, constants.W_OK);
    return true;
  } catch {
    // Read-only, of another user, or not there at all.
    return false;
  }
}

/** Puts a process into a cgroup of its own with that many cores. Dispose it behind the process's end. */
export function limitCpu(pid: number, cores: number): AsyncDisposable {
  const name = `sidescope-test-${process.pid}-${++made}`;
  const isOne = existsSync(join(versionOne, 'cpu.cfs_quota_us'));
  if (!isOne) writeFileSync(join(versionTwo, 'cgroup.subtree_control'), '+cpu');
  const directory = join(isOne ? versionOne : versionTwo, name);
  mkdirSync(directory);
  const quota = String(cores * periodUs);
  if (isOne) {
    writeFileSync(join(directory, 'cpu.cfs_period_us'), String(periodUs));
    writeFileSync(join(directory, 'cpu.cfs_quota_us'), quota);
  } else writeFileSync(join(directory, 'cpu.max'), `${quota} ${periodUs}`);
  writeFileSync(join(directory, 'cgroup.procs'), String(pid));
  return {
    async [Symbol.asyncDispose]() {
      // Its last process may take a moment to be gone.
      await waitFor(() => (rmdirSync(directory), true), { message: `${directory} to be empty` });
    },
  };
}
