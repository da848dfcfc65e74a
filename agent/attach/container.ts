import { link, readText } from './process.ts';

/**
 * Which container a process is in, when that is another one than ours: the first twelve digits of its id, as `crictl ps` and `docker ps` show it; where the
 * cgroup does not tell it, `mnt:` and the number of its mount namespace. Null in the same container, and where /proc does not say.
 */
export async function containerOf(pid: number): Promise<string | null> {
  const [own, its, cgroup] = await Promise.all([
    link('/proc/self/ns/mnt'),
    link(`/proc/${pid}/ns/mnt`),
    readText(`/proc/${pid}/cgroup`),
  ]);
  if (own === undefined || its === undefined || own === its) return null;
  return containerIdOf(cgroup ?? '') ?? its.replace(/[[\]]/g, '');
}

/** Of the innermost container: `/kubepods/burstable/pod…/cri-containerd-4f1c….scope`. */
function containerIdOf(cgroup: string): string | undefined {
  return /^.*[^0-9a-f]([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])/m.exec(cgroup)?.[1];
}
