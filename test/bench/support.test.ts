import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { formatSpread, peakRssDuring, ratioOfPairs, readProcess, runChild, sampleRss, spreadOf } from './support.ts';

it.each([
  [[3], '3.0 (3.0-3.0, n=1)'],
  [[5, 1, 3], '3.0 (1.0-5.0, n=3)'],
  [[4, 1, 2, 10], '3.0 (1.0-10.0, n=4)'],
])('the spread of %j is %s', (values, text) => {
  expect(formatSpread(spreadOf(values), 1)).toBe(text);
});

it('has no median of nothing', () => {
  expect(() => spreadOf([])).toThrow('no values');
});

it('takes turns at who goes first and leaves out the pair that warms up', async () => {
  const order: string[] = [];
  const costs = (name: string, values: number[]) => () => {
    order.push(name);
    return Promise.resolve(values.shift() ?? 0);
  };
  const { a, b, ratio } = await ratioOfPairs({ a: costs('a', [99, 2, 4]), b: costs('b', [1, 4, 12]), pairs: 2 });
  expect(order.join('')).toBe('abbaab');
  expect([a.median, b.median, ratio.min, ratio.max]).toEqual([3, 8, 2, 3]);
});

it('reads CPU time and memory of another process', async () => {
  await using target = await startTarget('busy', { execArgv: [] });
  const before = await readProcess(target.pid);
  await waitFor(async () => (await readProcess(target.pid)).cpuMs > before.cpuMs, { message: 'CPU time to grow' });
  expect(before.rssBytes).toBeGreaterThan(20e6);
  const { result, startBytes, peakBytes } = await peakRssDuring(target.pid, () => Promise.resolve('done'));
  expect(result).toBe('done');
  expect(peakBytes).toBeGreaterThanOrEqual(startBytes);
});

it('samples memory until it is disposed, and ends with its process', async () => {
  await using target = await startTarget('forever', { execArgv: [] });
  await using sampling = sampleRss(target.pid, 5);
  await waitFor(() => sampling.samplesBytes.length >= 3, { message: 'three samples' });
  target.kill();
  await target.exited;
  expect(Math.min(...sampling.samplesBytes)).toBeGreaterThan(10e6);
});

it('runs a child to its end and keeps what it printed', async () => {
  const run = await runChild(process.execPath, [
    '-e',
    'console.log("out"); console.error("err"); process.exitCode = 3',
  ]);
  expect(run).toMatchObject({ code: 3, stdout: 'out\n', stderr: 'err\n' });
  await expect(runChild('/nowhere/at/all', [])).rejects.toThrow('ENOENT');
});

it('refuses a bench that does not exist and names those that do', async () => {
  const main = join(import.meta.dirname, 'main.ts');
  await expect(promisify(execFile)(process.execPath, [main, 'nonsense'])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no bench named nonsense; there are: ') as string,
  });
});
