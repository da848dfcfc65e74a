import os from 'node:os';

/**
 * The memory limit of the container that the agent runs in, in bytes; `Infinity` without one. What takes memory by the size of
 * its input must stay within a share of it: over the limit the kernel kills the whole agent, not the thread.
 */
export function containerMemoryBytes(): number {
  const limit = process.constrainedMemory();
  // Without a limit cgroup v1 says 2^63 less a page, and v2 nothing, which is 0 here.
  return limit > 0 && limit < os.totalmem() ? limit : Infinity;
}
