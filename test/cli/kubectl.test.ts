import { expect, test } from 'vitest';
import { Kubectl } from '../../agent/cli/kubectl.ts';

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
