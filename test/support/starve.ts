import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { cpus, setPriority } from 'node:os';

/** Weights of the kernel: beside one that is not nice it gets a tenth of a CPU. */
const niceness = 10;

/** Gives a process one CPU, which it shares from now on with one that takes nearly all of it. The other CPUs stay free; disposal gives them back. */
export async function starve(pid: number): Promise<AsyncDisposable> {
  const [last, all] = [`${cpus().length - 1}`, `0-${cpus().length - 1}`];
  const threads = (): number[] => readdirSync(`/proc/${pid}/task`).map(Number);
  execFileSync('taskset', ['-acp', last, String(pid)]);
  for (const thread of threads()) setPriority(thread, niceness);
  const program = 'fs.writeSync(1, "ready"); for (;;);';
  const hog = spawn('taskset', ['-c', last, process.execPath, '-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(hog.stdout, 'data');
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(hog, 'exit');
      hog.kill('SIGKILL');
      await ended;
      execFileSync('taskset', ['-acp', all, String(pid)]);
    },
  };
}
