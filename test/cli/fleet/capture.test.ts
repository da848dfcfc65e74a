import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { captureFleet } from '../../../agent/cli/capture.ts';
import { chooseShare, parseShare, placeOf } from '../../../agent/cli/fleet/choose.ts';
import { each } from '../../../agent/cli/fleet/each.ts';
import { usualOutput } from '../../../agent/cli/fleet/output-file.ts';
import { waitFor } from '../../support/wait-for.ts';
import { startFleet } from './fleet.ts';
import type { Fleet } from './fleet.ts';

let fleet: Fleet;
const folder = mkdtempSync(join(tmpdir(), 'sidescope-capture-'));
const output = join(folder, 'fleet.pb.gz');
const usual = ['--duration', '1s', '--jitter', '0s', '-o', output];

beforeAll(async () => {
  const busy = { stacks: ['main@file:///app/a.js:1;fib@file:///app/a.js:9 20', '(idle) 5'] };
  const refused = (status: number, code: string, detail: string) => ({ refusal: { status, code, detail } });
  fleet = await startFleet({
    'shop-a': busy,
    'shop-b': { ...busy, hash: 'bbb222' },
    'shop-c': { sidecar: 'absent' },
    'shop-d': { isTerminating: true },
    'half-a': { ...busy, labels: { app: 'half' } },
    'half-b': { ...refused(409, 'capture-conflict', 'a snapshot runs'), labels: { app: 'half' } },
    'half-c': { ...refused(429, 'too-many-captures', 'the limit is 1'), labels: { app: 'half' } },
    'half-d': { ...refused(401, 'unauthorized', 'no such token'), labels: { app: 'half' } },
    'lead-a': { ...busy, leadsTo: '/elsewhere', labels: { app: 'lead' } },
    'gone-a': { ...busy, isEndless: true, labels: { app: 'gone' } },
    'gone-b': { ...busy, labels: { app: 'gone' } },
    'long-a': { ...busy, isEndless: true, labels: { app: 'long' } },
    'two-a': {
      ...busy,
      targets: [
        { id: 't1', name: 'api' },
        { id: 't2', name: 'worker' },
      ],
      labels: { app: 'two' },
    },
    'key-a': { ...busy, isEndless: true, labels: { app: 'key' } },
    'long-b': { ...busy, labels: { app: 'long' } },
  });
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly file: { path: string; sizeBytes: number; profiles: number } | null;
  readonly pods: { pod: string; result: string; samples: number | null; reason: string }[];
}

async function capture(
  args: readonly string[],
  signal?: AbortSignal,
): Promise<Answer & { code: number; pods: Answer['pods'] }> {
  const { code, printed } = await fleet.run(captureFleet, [...args, '--json'], signal);
  return { code, ...(JSON.parse(printed) as Answer) };
}

const outcomes = ({ pods }: Answer): string[] =>
  pods.map(({ pod, result, reason }) => `${pod} ${result} ${reason}`.trim());

/** `fib {pod=shop-a, version=…}: 20`. */
function samplesIn(path: string): string[] {
  const { sample, stringTable, function: functions, location } = Profile.decode(gunzipSync(readFileSync(path)));
  const text = (index: number | bigint): string => stringTable.strings[Number(index)] ?? '';
  return sample
    .map(({ locationId, value, label }) => {
      const place = location.find(({ id }) => id === locationId[0])!;
      const fn = functions.find(({ id }) => id === place.line[0]!.functionId)!;
      const labels = label.map(({ key, str }) => `${text(key)}=${text(str)}`);
      return `${text(fn.name)} {${labels.join(', ')}}: ${value[0]}`;
    })
    .sort();
}

test('one pprof file has the samples of every pod under its labels, and one table says what came of each', async () => {
  const { code, printed, said } = await fleet.run(captureFleet, ['-l', 'app=shop', ...usual]);
  expect(samplesIn(output)).toEqual([
    'fib {pod=shop-a, namespace=shop, node=node-1, version=1.0.0 aaa111}: 20',
    'fib {pod=shop-b, namespace=shop, node=node-1, version=1.0.0 bbb222}: 20',
  ]);
  expect(printed.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, '  '))).toEqual([
    'pod  version  node  result  samples  plain  reason',
    expect.stringMatching(/^shop-a {2}1\.0\.0 aaa111 {2}node-1 {2}captured {2}20 {2}\d+ B$/),
    expect.stringMatching(/^shop-b {2}1\.0\.0 bbb222 {2}node-1 {2}captured {2}20 {2}\d+ B$/),
    'shop-c  1.0.0 aaa111  node-1  skipped  -  -  no sidecar',
    'shop-d  1.0.0 aaa111  node-1  skipped  -  -  Terminating',
    '',
    expect.stringMatching(/^\S+fleet\.pb\.gz: 2 profiles, \d+ B$/),
    '',
  ]);
  expect(said).toBe('2 of 4 pods, 1 s each; Ctrl-C stops\n');
  expect(code).toBe(0);
  expect(statSync(output).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['fleet.pb.gz']);
  expect(fleet.agents.get('shop-a')?.asked.map(({ line }) => line)).toContain(
    'POST /cpu/start?duration=1000&target=t1',
  );
});

test('a pod with two processes gives a profile of each, with the process as a label', async () => {
  const answer = await capture(['-l', 'app=two', ...usual]);
  expect(outcomes(answer)).toEqual(['two-a captured', 'two-a captured']);
  expect(samplesIn(output).map((line) => /target=(\w+)/.exec(line)?.[1])).toEqual(['api', 'worker']);
});

test('half of the replicas refuse: the file has the others, each refusal is told, the exit code is 1', async () => {
  const answer = await capture(['-l', 'app=half', ...usual]);
  expect(outcomes(answer)).toEqual([
    'half-a captured',
    'half-b failed 409 capture-conflict: a snapshot runs',
    'half-c failed 429 too-many-captures: the limit is 1',
    'half-d failed 401 unauthorized: no such token',
  ]);
  expect({ code: answer.code, profiles: answer.file?.profiles }).toEqual({ code: 1, profiles: 1 });
});

test('whoever answers in a pod cannot lead this machine to another address', async () => {
  const answer = await capture(['-l', 'app=lead', ...usual]);
  expect(outcomes(answer)).toEqual([expect.stringMatching(/^lead-a failed its agent cannot be reached.*redirect/)]);
  expect(fleet.agents.get('lead-a')?.asked.map(({ line }) => line)).toEqual(['GET /targets']);
});

test('a pod that vanishes in the middle is a row with its reason, and costs the others nothing', async () => {
  const capturing = capture(['-l', 'app=gone', ...usual]);
  await waitFor(() => fleet.agents.get('gone-a')?.asked.some(({ line }) => line.startsWith('GET /operations/')), {
    message: 'a poll of the capture',
  });
  fleet.cluster.remove('gone-a');
  const answer = await capturing;
  expect(outcomes(answer)).toEqual([
    expect.stringMatching(/^gone-a failed the connection was lost \(.*lost connection to pod\)$/),
    'gone-b captured',
  ]);
  expect(answer.file?.profiles).toBe(1);
});

test('Ctrl-C cancels what runs in the pods, and writes what there is', async () => {
  const stop = new AbortController();
  const capturing = capture(['-l', 'app=long', ...usual], stop.signal);
  const [endless, quick] = [fleet.agents.get('long-a'), fleet.agents.get('long-b')];
  await waitFor(
    () =>
      quick?.asked.some(({ line }) => line.includes('/download')) &&
      endless?.asked.some(({ line }) => line.startsWith('GET /operations/')),
    { message: 'one ended, and one under way' },
  );
  // The file that was asked for arrives in the same turn of kubectl's.
  await waitFor(() => quick?.asked.at(-1)?.line.includes('/download'), { message: 'its last question' });
  stop.abort(new Error('SIGINT'));
  const answer = await capturing;
  expect(answer.pods[0]).toMatchObject({ pod: 'long-a', result: 'cancelled' });
  expect(answer.code).toBe(1);
  expect(endless?.asked.at(-1)?.line).toMatch(/^DELETE \/operations\//);
});

test("the terminal's Ctrl-C, which goes to kubectl too, leaves the way to the agent until it was told", async () => {
  const main = join(import.meta.dirname, '../../../agent/main.ts');
  const args = ['capture', '-l', 'app=key', '--jitter', '0s', '-o', join(folder, 'never.pb.gz')];
  // A group of its own, as a shell gives to a command.
  const child = spawn(process.execPath, [main, ...args, '--kubectl', fleet.cluster.kubectl], {
    detached: true,
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  const asked = fleet.agents.get('key-a')!.asked;
  await waitFor(() => asked.some(({ line }) => line.startsWith('GET /operations/')), {
    message: 'a poll of the capture',
  });
  process.kill(-child.pid!, 'SIGINT');
  expect(await ended).toEqual([1, null]);
  expect(asked.at(-1)?.line).toMatch(/^DELETE \/operations\//);
});

test('a share asks the same pods each time, one at least, and no agent of the others', async () => {
  const before = fleet.agents.get('half-a')!.asked.length + fleet.agents.get('half-b')!.asked.length;
  const answer = await capture(['-l', 'app in (shop,half)', '--share', '10%', ...usual]);
  const asked = answer.pods.filter(({ result }) => !['not chosen', 'skipped'].includes(result));
  expect(asked).toHaveLength(1);
  expect(answer.pods.filter(({ result }) => result === 'not chosen')).toHaveLength(5);
  const again = await capture(['-l', 'app in (shop,half)', '--share', '0.1', ...usual]);
  expect(outcomes(again)).toEqual(outcomes(answer));
  const after = fleet.agents.get('half-a')!.asked.length + fleet.agents.get('half-b')!.asked.length;
  expect(after - before === 0 || asked[0]?.pod.startsWith('half')).toBe(true);
});

test('heap sampling starts that, and a token from a file needs no exec', async () => {
  const file = join(folder, 'token');
  writeFileSync(file, `${fleet.agents.get('shop-a')?.token}\n`);
  const before = fleet.cluster.requests.length;
  const answer = await capture([
    '-l',
    'pod-template-hash=aaa111,app=shop',
    '--kind',
    'heap-sampling',
    '--token-file',
    file,
    ...usual,
  ]);
  expect(answer.pods.find(({ pod }) => pod === 'shop-a')).toMatchObject({ result: 'captured', samples: null });
  expect(fleet.cluster.requests.slice(before).filter((line) => line.includes('/exec'))).toEqual([]);
  expect(fleet.agents.get('shop-a')?.asked.map(({ line }) => line)).toContain(
    'POST /heap/sampling/start?duration=1000&target=t1',
  );
});

test('no pod with the agent is an error with the reasons', async () => {
  await expect(fleet.run(captureFleet, ['-l', 'app=none', ...usual])).rejects.toMatchObject({ code: 'no-pods' });
});

test.each([
  [['-l', 'a=b', '-o', 'x', '--share', '0'], '--share "0" is no share such as 10% or 0.1'],
  [['-l', 'a=b', '-o', 'x', '--share', '101%'], '--share "101%"'],
  [['-l', 'a=b', '-o', 'x', '--kind', 'heap'], '--kind "heap" is neither cpu nor heap-sampling'],
  [['-l', 'a=b', '-o', 'x', '--duration', '30'], '--duration "30" needs a unit'],
  [['-l', 'a=b', '-o', 'x', '--duration', '2h'], '--duration "2h"'],
])('a mistake in the command line asks nobody: %j', async (args, sentence) => {
  const before = fleet.cluster.requests.length;
  await expect(fleet.run(captureFleet, args)).rejects.toMatchObject({
    code: 'invalid-option',
    message: expect.stringContaining(sentence) as string,
  });
  expect(fleet.cluster.requests.length).toBe(before);
});

test.each([
  ['/dev/null', 'is a device; it must be a file'],
  [folder, 'is a directory; it must be a file'],
  [join(folder, 'nowhere', 'fleet.pb.gz'), 'cannot be written: ENOENT'],
])('a file that could not be written, %s, is told before anybody is asked', async (path, sentence) => {
  const before = fleet.cluster.requests.length;
  await expect(fleet.run(captureFleet, ['-l', 'app=shop', '-o', path])).rejects.toMatchObject({
    code: 'unusable-file',
    message: `${path} ${sentence}`,
  });
  expect(fleet.cluster.requests.length).toBe(before);
});

test('without --output the file is named by the time', () => {
  expect(usualOutput(new Date('2026-01-31T12:05:00.123Z'))).toBe('sidescope-20260131T120500Z.pb.gz');
});

test('a thousand pods: a share takes its part, and begins are spread evenly over the time', () => {
  const pods = Array.from({ length: 1_000 }, (_, index) => ({ uid: `0b7e-${index}` }));
  expect(chooseShare(pods, parseShare('10%'))).toHaveLength(100);
  expect(chooseShare(pods, 0.07)).toHaveLength(70);
  expect(chooseShare(pods, 0.2)).toEqual(expect.arrayContaining(chooseShare(pods, 0.1)));
  const tenths = Map.groupBy(pods, ({ uid }) => Math.floor(placeOf(uid, 'time') * 10));
  expect([...tenths.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (const { length } of tenths.values()) expect(Math.abs(length - 100)).toBeLessThan(40);
});

test('no more pods than allowed are asked at the same time, and a failure waits for the others', async () => {
  let [now, most, ended] = [0, 0, 0];
  const work = async (item: number): Promise<number> => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    now--;
    ended++;
    if (item === 3) throw new Error('three');
    return item * 2;
  };
  await expect(each([1, 2, 3, 4, 5, 6, 7, 8], 3, work)).rejects.toThrow('three');
  expect({ most, now }).toEqual({ most: 3, now: 0 });
  expect(ended).toBe(8);
});
