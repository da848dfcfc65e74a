import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchDirectory } from '../store/sample.ts';
import { waitFor } from '../support/wait-for.ts';
import { openEgress } from './harness.ts';

// Opening a pipe for writing waits for a reader, as a call to a volume that is away waits for its server.
test('a directory that does not answer is left, asked nothing more until it does, and holds no other destination', async () => {
  await using dead = scratchDirectory();
  await using well = scratchDirectory();
  await using harness = await openEgress(
    `egress:
  - { name: dead, kind: directory, path: ${dead.path}, key: '{id}' }
  - { name: well, kind: directory, path: ${well.path} }
`,
    // It is sent when its pipe is there.
    { fileLimitMs: 200, settleMs: 300 },
  );
  const { id } = await harness.capture();
  const pipe = join(dead.path, `.${id}.cpuprofile.json.tmp`);
  execFileSync('mkfifo', [pipe]);
  await harness.until('the time limit', ({ lastError }) =>
    /opening a file took over 200 ms/.test(lastError?.message ?? ''),
  );
  const view = await harness.until('later attempts', ({ failed }) => (failed['timeout'] ?? 0) > 2);
  expect(view.lastError).toMatchObject({
    reason: 'timeout',
    message: `${dead.path}: opening a file has not ended since an earlier attempt`,
  });
  await harness.capture();
  await waitFor(() => harness.egress.view().destinations[1]?.sent === 2, { message: 'both at the other one' });
  expect(harness.egress.hangs).toBe(true);

  // It answers: what was left ends, and both go there.
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  await harness.until('both sent', ({ sent }) => sent === 2);
  closeSync(reader);
  expect(harness.egress.hangs).toBe(false);
  expect(readdirSync(dead.path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  expect(existsSync(join(dead.path, `${id}.cpuprofile`))).toBe(true);
});

test('directories that answer wait for each other, and none of them fails', async () => {
  await using scratch = scratchDirectory();
  const names = ['one', 'two', 'three', 'four'];
  for (const name of names) mkdirSync(join(scratch.path, name));
  const lines = names.map((name) => `  - { name: ${name}, kind: directory, path: "${join(scratch.path, name)}" }\n`);
  await using harness = await openEgress(`egress:\n${lines.join('')}`);
  await harness.capture();
  const views = await waitFor(
    () => {
      const { destinations } = harness.egress.view();
      return destinations.every(({ sent }) => sent === 1) && destinations;
    },
    { message: 'all four to have it' },
  );
  expect(views.map(({ failed }) => failed)).toEqual([{}, {}, {}, {}]);
});
