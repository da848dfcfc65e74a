import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { findCgroup } from '../../agent/vitals/cgroup.ts';
import { ProcessFiles } from '../../agent/vitals/process-files.ts';
import { startTarget } from '../support/target.ts';

async function tree(files: Readonly<Record<string, string>>): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'sidescope-cgroup-'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

it('version 2: the lowest limit on the way up, events, and throttled time', async () => {
  await using files = await tree({
    'proc/7/cgroup': '0::/kubepods/pod1/app\n',
    'sys/kubepods/memory.max': 'max\n',
    'sys/kubepods/pod1/memory.max': '1000000\n',
    'sys/kubepods/pod1/cpu.max': '150000 100000\n',
    'sys/kubepods/pod1/app/memory.current': '600000\n',
    'sys/kubepods/pod1/app/memory.max': '2000000\n',
    'sys/kubepods/pod1/app/memory.stat': 'anon 400000\ninactive_file 150000\n',
    'sys/kubepods/pod1/app/memory.events': 'low 0\nhigh 3\nmax 4\noom 1\noom_kill 2\n',
    'sys/kubepods/pod1/app/cpu.max': 'max 100000\n',
    'sys/kubepods/pod1/app/cpu.stat': 'usage_usec 5\nnr_throttled 1\nthrottled_usec 2500\n',
  });
  const cgroup = await findCgroup(`${files.path}/proc/7`, { root: `${files.path}/sys` });
  expect(await cgroup?.read()).toEqual({
    version: 2,
    memoryCurrentBytes: 600_000,
    workingSetBytes: 450_000,
    memoryMaxBytes: 1_000_000,
    oomKills: 2,
    memoryHighEvents: 3,
    memoryMaxEvents: 4,
    cpuLimitCores: 1.5,
    throttledMs: 2.5,
  });
});

it("version 2 in another cgroup namespace: the target's own mount", async () => {
  await using files = await tree({
    'proc/7/cgroup': '0::/../../other\n',
    'proc/7/root/sys/fs/cgroup/memory.current': '5\n',
    'proc/7/root/sys/fs/cgroup/memory.max': '10\n',
  });
  const cgroup = await findCgroup(`${files.path}/proc/7`, { root: `${files.path}/sys` });
  expect(await cgroup?.read()).toMatchObject({ memoryCurrentBytes: 5, memoryMaxBytes: 10, throttledMs: null });
});

it('version 1, where a huge number is no limit', async () => {
  await using files = await tree({
    'proc/7/cgroup': '4:memory:/app\n3:cpu,cpuacct:/app\n0::/\n',
    'sys/memory/app/memory.usage_in_bytes': '700\n',
    'sys/memory/app/memory.limit_in_bytes': '9223372036854771712\n',
    'sys/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'sys/memory/app/memory.failcnt': '9\n',
    'sys/memory/app/memory.stat': 'inactive_file 50\ntotal_inactive_file 100\n',
    'sys/memory/app/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    'sys/cpu/app/cpu.stat': 'nr_periods 10\nnr_throttled 2\nthrottled_time 3000000\n',
    'sys/cpu/app/cpu.cfs_quota_us': '-1\n',
    'sys/cpu/app/cpu.cfs_period_us': '100000\n',
  });
  const cgroup = await findCgroup(`${files.path}/proc/7`, { root: `${files.path}/sys` });
  expect(await cgroup?.read()).toEqual({
    version: 1,
    memoryCurrentBytes: 700,
    workingSetBytes: 600,
    memoryMaxBytes: null,
    oomKills: 1,
    memoryHighEvents: null,
    memoryMaxEvents: 9,
    cpuLimitCores: null,
    throttledMs: 3,
  });
});

it('nothing to read, or garbage in it, is no cgroup or no value', async () => {
  await using files = await tree({
    'proc/7/cgroup': 'what is this\n',
    'proc/8/cgroup': '0::/a\n',
    'sys/a/memory.current': 'lots\n',
    'sys/a/memory.max': '\n',
    'sys/a/cpu.max': 'x\n',
  });
  expect(await findCgroup(`${files.path}/proc/7`, { root: `${files.path}/none` })).toBeUndefined();
  expect(await findCgroup(`${files.path}/proc/9`, { root: `${files.path}/none` })).toBeUndefined();
  const cgroup = await findCgroup(`${files.path}/proc/8`, { root: `${files.path}/sys` });
  expect(await cgroup?.read()).toMatchObject({ memoryCurrentBytes: null, memoryMaxBytes: null, cpuLimitCores: null });
});

it('a process is found by pid and start time, and by nothing less', async () => {
  await using target = await startTarget('forever');
  const identity = { pid: target.pid, hostname: hostname(), startedAt: new Date().toISOString() };
  const files = await ProcessFiles.find(identity);
  const reading = await files?.read();
  expect(reading?.state).toMatch(/^[RS]$/);
  expect(reading?.rssBytes).toBeGreaterThan(20e6);
  expect(reading?.mainMs).toBeLessThanOrEqual((reading?.userMs ?? 0) + (reading?.systemMs ?? 0) + 10);
  expect(await ProcessFiles.find({ ...identity, hostname: 'another-pod' })).toBeUndefined();
  expect(
    await ProcessFiles.find({ ...identity, startedAt: new Date(Date.now() - 60_000).toISOString() }),
  ).toBeUndefined();
  expect(await ProcessFiles.find({ ...identity, startedAt: 'never' })).toBeUndefined();
  target.kill();
  await target.exited;
  expect(await files?.read()).toBeUndefined();
  expect(await ProcessFiles.find(identity)).toBeUndefined();
});
