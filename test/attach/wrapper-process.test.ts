import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseInspectorAddress } from '../../agent/attach/address.ts';
import { Targets } from '../../agent/attach/targets.ts';
import { wrapperOf } from '../../agent/attach/wrapper-process.ts';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait-for.ts';

it.each([
  ['file:///usr/lib/node_modules/npm/bin/npm-cli.js', 'npm'],
  ['file:///usr/local/bin/npx', 'npm'],
  ['file:///srv/.yarn/releases/yarn-4.5.0.cjs', 'yarn'],
  ['file:///opt/yarn-v1.22.22/bin/yarn.js', 'yarn'],
  ['file:///usr/lib/node_modules/pnpm/bin/pnpm.cjs', 'pnpm'],
  ['file:///usr/lib/node_modules/corepack/dist/corepack.js', 'corepack'],
  ['file:///srv/node_modules/nodemon/bin/nodemon.js', 'nodemon'],
  ['file:///usr/lib/node_modules/pm2/lib/Daemon.js', 'pm2'],
  ['file:///srv/node_modules/tsx/dist/cli.mjs', 'tsx'],
  // Under PM2 the application runs in this very process.
  ['file:///usr/lib/node_modules/pm2/lib/ProcessContainerFork.js', undefined],
  ['file:///srv/npm-statistics/app.js', undefined],
  ['file:///srv/app.js', undefined],
  ['', undefined],
])('of %s the wrapper is %s', (url, name) => {
  expect(wrapperOf(url)).toBe(name);
});

it('an inspector that npm took is recognised, with the flag to use, and not attached', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-npm-'));
  await using _folder = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'app', scripts: { start: 'node app.js' } }));
  await writeFile(join(folder, 'app.js'), 'setInterval(() => {}, 1000)');
  const port = await freePort();
  const npm = spawn('npm', ['start'], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder, NODE_OPTIONS: `--inspect=127.0.0.1:${port}` },
  });
  await using _npm = {
    async [Symbol.asyncDispose]() {
      // Its group: npm, the shell and the application.
      process.kill(-(npm.pid ?? 0), 'SIGKILL');
      if (npm.exitCode === null && npm.signalCode === null) await once(npm, 'exit');
    },
  };
  let stderr = '';
  npm.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await using targets = new Targets([parseInspectorAddress(`127.0.0.1:${port}`)]);
  targets.start();
  const state = await waitFor(
    () => {
      const seen = targets.list()[0]?.state;
      return seen?.state === 'connecting' && seen.lastFailure?.code === 'wrapper-process' && seen;
    },
    { deadlineMs: 20_000, message: () => `npm to be recognised; ${JSON.stringify(targets.list())} ${stderr}` },
  );
  expect(state.lastFailure?.message).toMatch(
    /belongs to npm, not to the application.*node --inspect=127\.0\.0\.1:9229 app\.js/,
  );
  expect(targets.list()[0]?.warnings).toEqual([state.lastFailure?.message]);
  expect(stderr).not.toContain('Debugger attached');
});
