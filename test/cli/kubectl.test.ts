import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** A kubectl whose first call does this, and which prints 4001 from then on. */
function kubectlThatBegins(deed: string): Kubectl {
  const folder = mkdtempSync(join(tmpdir(), 'sidescope-kubectl-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'kubectl');
  writeFileSync(path, `#!/bin/sh\nif mkdir "$0.asked" 2>/dev/null; then ${deed}; else echo 4001; fi\n`);
  chmodSync(path, 0o755);
  return new Kubectl({ path });
}

const lossOfTheEnd = "echo 'error: closed all streams' >&2; exit 1";

test.each(['exit 0', lossOfTheEnd])('what exec loses is asked for again: %s', async (deed) => {
  const kubectl = kubectlThatBegins(deed);
  expect(await kubectl.exec(['pod/shop', '--', 'id', '-u'], { doing: 'asking', signal })).toBe('4001\n');
});

test('an exec that fails is not tried again', async () => {
  const kubectl = kubectlThatBegins("echo 'error: no such container' >&2; exit 1");
  await expect(kubectl.exec(['pod/shop', '--', 'id'], { doing: 'asking', signal })).rejects.toMatchObject({
    code: 'kubectl-failed',
    message: 'asking: error: no such container',
  });
});
