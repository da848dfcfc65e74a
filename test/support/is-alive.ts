import { readFileSync } from 'node:fs';

/** Whether a process runs. One that ended and waits to be reaped (an orphan's init may take seconds, or never do it) does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const state = stat.charAt(stat.lastIndexOf(')') + 2);
    return state !== 'Z' && state !== 'X';
  } catch {
    // No such process: that is the answer.
    return false;
  }
}
