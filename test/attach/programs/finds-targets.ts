// Process 1 of process and network namespaces of its own: starts two applications, a wrapper and something else, watches what `--target auto` makes of them, and
// prints it as JSON.
import { spawn } from 'node:child_process';
import { Targets } from '../../../agent/attach/targets.ts';
import { readProcess } from '../../../agent/attach/process.ts';
import { readListeningSockets } from '../../../agent/attach/listening-sockets.ts';
import { isAlive } from '../../support/is-alive.ts';
import { nodePath } from '../../support/node-versions.ts';
import { startTarget } from '../../support/target.ts';
import { waitFor } from '../../support/wait-for.ts';

await using old = await startTarget('never-prepared', { node: 18, execArgv: ['--debug-port=0'] });
await using prepared = await startTarget('never-prepared', { node: 24 });
const others = [
  spawn(nodePath(24), ['-e', 'process.title = "npm start"; setInterval(() => {}, 1000)'], { stdio: 'ignore' }),
  spawn('sleep', ['60'], { stdio: 'ignore' }),
];
await waitFor(async () => (await readProcess(others[0]?.pid ?? 0)).argv[0]?.startsWith('npm'), {
  message: 'its title',
});
const listenersBefore = (await readListeningSockets('self')).length;
let attached: unknown;
{
  await using targets = new Targets(['auto']);
  targets.start();
  const isAttached = (pid: number): boolean =>
    targets.list().some(({ state, identity }) => state.state === 'attached' && identity?.pid === pid);
  await waitFor(() => isAttached(old.pid) && isAttached(prepared.pid), {
    message: () => `both attached; there are ${JSON.stringify(targets.list().map(({ id, state }) => [id, state]))}`,
  });
  attached = targets.list().map(({ id, state }) => [id, state.state]);
}
console.log(
  JSON.stringify({
    attached,
    expected: [old, prepared].map(({ pid }) => [`pid-${pid}`, 'attached']),
    othersAlive: others.every(({ pid }) => isAlive(pid ?? 0)),
    newListeners: (await readListeningSockets('self')).length - listenersBefore,
  }),
);
for (const other of others) other.kill('SIGKILL');
