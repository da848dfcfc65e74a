import { readFileSync, readdirSync } from 'node:fs';

/** Ids of the processes that this one started and whose command line holds `script`. */
export function childrenRunning(script: string): number[] {
  const ofThread = (thread: string) => readFileSync(`/proc/${process.pid}/task/${thread}/children`, 'utf8').trim();
  const children = readdirSync(`/proc/${process.pid}/task`).flatMap((thread) => ofThread(thread).split(' '));
  return children
    .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(script))
    .map(Number);
}

export function signalChildren(script: string, signal: NodeJS.Signals): void {
  for (const pid of childrenRunning(script)) process.kill(pid, signal);
}
