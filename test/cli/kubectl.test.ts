import { expect, onTestFinished, test } from 'vitest';
import { Kubectl } from '../../agent/cli/kubectl.ts';
import { waitFor } from '../support/wait-for.ts';

const signal = new AbortController().signal;
const echo = new Kubectl({ path: 'printf' });

test('output at its bound is an error with the bound, not cut JSON', async () => {
  expect(await echo.run(['12345'], { doing: 'get', signal, maxOutputBytes: 6 })).toBe('12345');
  await expect(echo.run(['123456'], { doing: 'get', signal, maxOutputBytes: 6 })).rejects.toMatchObject({
    code: 'kubectl-failed',
    message: 'get: it printed 6 B or more',
  });
});

test('a program of its own group ends with this process', async () => {
  const before = process.listenerCount('exit');
  const running = new Kubectl({ path: 'sleep' }).start(['30'], { isOwnGroup: true });
  expect(process.listenerCount('exit')).toBe(before + 1);
  running.child.kill();
  expect(await running.ended).toBe(-1);
  expect(process.listenerCount('exit')).toBe(before);
});

test('what it has started and left behind, such as a login, holds nobody up when it is stopped', async () => {
  const shell = new Kubectl({ path: 'sh' });
  const running = shell.start(['-c', 'sleep 60 & echo $!; wait']);
  const pid = await waitFor(() => Number(running.stdout()) || undefined, { message: 'its child' });
  onTestFinished(() => void process.kill(pid));
  await running.stop();
  expect(await running.ended).toBe(-1);
  // It is still there, with the outputs in its hands.
  expect(process.kill(pid, 0)).toBe(true);
});
