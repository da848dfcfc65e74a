import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { apiOf, mintToken, untilAttached } from '../deploy/pod/api.ts';
import type { Api } from '../deploy/pod/api.ts';
import { forwardPort } from '../deploy/pod/forward.ts';
import type { Pod } from '../deploy/pod/pod.ts';
import { podRuntime } from '../deploy/pod/runtime.ts';
import { deployDirectory, renderOverlay } from '../deploy/render.ts';
import { isAlive } from '../support/is-alive.ts';
import { waitFor } from '../support/wait-for.ts';
import { formatSpread, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

/** What the sidecar costs in the pod of deploy/examples/shop: its start, its memory, and the application's exit. */
export const bench: Bench = async ({ quick, signal }) => {
  const deployment = renderOverlay(join(deployDirectory, 'examples/shop')).find(({ kind }) => kind === 'Deployment');
  if (deployment === undefined) throw new Error('examples/shop renders no Deployment');
  const runtime = podRuntime();
  await runtime.prepare();
  await using pod = await runtime.openPod({ deployment });
  await pod.start('shop');
  await waitFor(async () => (await pod.logs('shop')).includes('ready'), { message: 'the application to be ready' });
  const starts = await measureStarts(pod, { times: quick ? 2 : 7, signal });
  await using admin = await forwardPort(pod, 7777);
  const api = apiOf(admin.url, await mintToken(pod));
  await untilAttached(api);
  const memory = await measureMemory(pod, api);
  const exits = await measureExits(pod, { times: quick ? 2 : 7, signal });
  return [
    {
      title: 'start of the sidecar',
      note: `${runtime.name}; from the birth of the process, by its own log; the application runs already`,
      rows: [
        {
          'to ready, ms': formatSpread(spreadOf(starts.ready), 0),
          'to attached, ms': formatSpread(spreadOf(starts.attached), 0),
        },
      ],
    },
    {
      title: 'memory of the sidecar, MiB',
      note: 'RSS of its process and anonymous memory of its cgroup, every 50 ms; the limit is 256 MiB',
      rows: memory,
    },
    {
      title: 'from SIGTERM to the end of the application, ms',
      note: 'the same application with a quarter of a CPU; polled every millisecond from outside',
      rows: exits,
    },
  ];
};

async function measureStarts(pod: Pod, { times, signal }: { times: number; signal: AbortSignal }) {
  const ready: number[] = [];
  const attached: number[] = [];
  for (let count = 0; count < times; count++) {
    signal.throwIfAborted();
    const seen = (await pod.logs('sidescope')).length;
    await pod.start('sidescope');
    const bornAtMs = birthOf(await pod.pid('sidescope'));
    const log = await waitFor(
      async () => {
        const text = (await pod.logs('sidescope')).slice(seen);
        return text.includes('"attached to ') && text;
      },
      { message: 'the sidecar to be attached' },
    );
    ready.push(timeOf(log, /"time":"([^"]+)".*"sidescope is ready"/) - bornAtMs);
    attached.push(timeOf(log, /"time":"([^"]+)".*"attached to /) - bornAtMs);
    if (count < times - 1) await pod.stop('sidescope', 10);
  }
  return { ready, attached };
}

async function measureMemory(pod: Pod, api: Api): Promise<Record<string, string | number>[]> {
  const pid = await pod.pid('sidescope');
  const during = async (what: string, work: () => Promise<unknown>): Promise<Record<string, string | number>> => {
    const peak = { rssMiB: 0, anonymousMiB: 0 };
    const working = work();
    let isOver = false;
    void working.finally(() => (isOver = true)).catch(() => undefined); // rejects below
    while (!isOver) {
      const now = memoryOf(pid);
      peak.rssMiB = Math.max(peak.rssMiB, now.rssMiB);
      peak.anonymousMiB = Math.max(peak.anonymousMiB, now.anonymousMiB);
      await delay(50);
    }
    await working;
    return { what, 'RSS, peak': Math.round(peak.rssMiB), 'cgroup, peak': Math.round(peak.anonymousMiB) };
  };
  const cpuProfile = async (): Promise<string> =>
    (await api.post('/cpu/start?duration=10000&interval=200&wait=true')).profileIds[0] ?? '';
  const rows = [await during('attached and idle, 10 s', () => delay(10_000))];
  let profileId = '';
  rows.push(await during('CPU profile, 10 s at 200 µs', async () => (profileId = await cpuProfile())));
  rows.push(
    await during('its download as pprof', async () => {
      await (await api.send('GET', `/profiles/${profileId}/download?format=pprof`)).arrayBuffer();
    }),
  );
  rows.push(await during('heap snapshot', () => api.post('/heap/snapshot?wait=true')));
  return rows;
}

async function measureExits(pod: Pod, { times, signal }: { times: number; signal: AbortSignal }) {
  const once = async (): Promise<number> => {
    const pid = await pod.pid('shop');
    const startMs = performance.now();
    process.kill(pid, 'SIGTERM');
    while (isAlive(pid)) await delay(1);
    const tookMs = performance.now() - startMs;
    await waitFor(async () => (await pod.pid('shop')) !== pid, { message: 'the application to be started again' });
    return tookMs;
  };
  const series = async (isReady: () => Promise<unknown>): Promise<number[]> => {
    const values: number[] = [];
    for (let count = 0; count < times; count++) {
      signal.throwIfAborted();
      await isReady();
      values.push(await once());
    }
    return values;
  };
  const attachments = async (): Promise<number> => (await pod.logs('sidescope')).split('"attached to ').length;
  let seen = (await attachments()) - 1;
  const attached = await series(async () => {
    await waitFor(async () => (await attachments()) > seen, { message: 'the sidecar to be attached again' });
    seen = await attachments();
  });
  await pod.stop('sidescope', 10);
  const readies = async (): Promise<number> => (await pod.logs('shop')).split('ready').length;
  let known = (await readies()) - 1;
  const alone = await series(async () => {
    await waitFor(async () => (await readies()) > known, { message: 'the application to be ready' });
    known = await readies();
  });
  return [
    { sidecar: 'none', ms: formatSpread(spreadOf(alone), 0) },
    { sidecar: 'attached', ms: formatSpread(spreadOf(attached), 0) },
  ];
}

/** Wall clock, to the kernel's 10 ms. */
function birthOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
  const uptimeSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  // btime has whole seconds only.
  const exactBootMs = Date.now() - uptimeSeconds * 1000;
  if (Math.abs(exactBootMs / 1000 - bootSeconds) > 2) throw new Error('the boot time is not what /proc/uptime says');
  return exactBootMs + ticks * 10;
}

function timeOf(log: string, pattern: RegExp): number {
  return Date.parse(pattern.exec(log)?.[1] ?? '');
}

function memoryOf(pid: number): { rssMiB: number; anonymousMiB: number } {
  const rssKiB = Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const memory = /^\d+:memory:(.*)$/m.exec(groups)?.[1];
  const unified = /^0::(.*)$/m.exec(groups)?.[1];
  const directory = memory === undefined ? `/sys/fs/cgroup${unified}` : `/sys/fs/cgroup/memory${memory}`;
  const file = join(directory, 'memory.stat');
  const bytes = existsSync(file) ? /^(?:total_rss|anon) (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
  return { rssMiB: rssKiB / 1024, anonymousMiB: Number(bytes ?? 0) / 2 ** 20 };
}
