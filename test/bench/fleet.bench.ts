import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Operation } from '../../protocol/rest/operation.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { startDemo } from '../support/demo.ts';
import { listPods } from '../../agent/cli/pods.ts';
import { startFleet } from '../cli/fleet/fleet.ts';
import { formatSpread, readProcess, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

/** What one sidecar sends and costs, from which deploy/fleet reckons what a thousand do. */
export const bench: Bench = async ({ quick, signal }) => {
  await using stack = new AsyncDisposableStack();
  const received: { atMs: number; bytes: number }[] = [];
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => {
      received.push({ atMs: performance.now(), bytes });
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => new Promise<void>((resolve) => server.close(() => resolve())));
  stack.defer(() => server.closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const demo = stack.use(await startDemo({ load: true }));
  const agent = stack.use(
    await startAgentProcess({
      targets: [demo.inspectorAddress],
      args: ['--flight-recorder', '--egress-url', `pyroscope+${url}`],
    }),
  );
  await untilAttached(agent);
  await delay(5_000, undefined, { signal });

  const [before, startMs] = [await readProcess(agent.pid), performance.now()];
  const windows = quick ? 3 : 10;
  while (received.length < windows) await delay(500, undefined, { signal });
  const after = await readProcess(agent.pid);
  const elapsedMs = performance.now() - startMs;
  const windowBytes = received.slice(0, windows).map(({ bytes }) => bytes);

  const { profileIds } = await agent.json<Operation>('/cpu/start?duration=30000&interval=1000&wait=true', {
    method: 'POST',
  });
  const download = async (query: string): Promise<number> => {
    const response = await agent.request(`/profiles/${profileIds[0]}/download${query}`);
    return (await response.arrayBuffer()).byteLength;
  };
  const metrics = await (await fetch(`${agent.opsUrl}/metrics`)).text();
  const mean = windowBytes.reduce((sum, bytes) => sum + bytes, 0) / windowBytes.length;
  const rows = [
    { what: 'series of /metrics', value: metrics.split('\n').filter((line) => /^[a-z]/.test(line)).length },
    {
      what: '/metrics, plain / gzip, kB',
      value: `${(metrics.length / 1e3).toFixed(1)} / ${(gzipSync(metrics).length / 1e3).toFixed(1)}`,
    },
    {
      what: `recorder window as sent to Pyroscope, kB (n=${windows})`,
      value: `${(mean / 1e3).toFixed(1)} (${(Math.min(...windowBytes) / 1e3).toFixed(1)}-${(Math.max(...windowBytes) / 1e3).toFixed(1)})`,
    },
    {
      what: 'CPU profile of 30 s at 1 ms as gzipped pprof, kB',
      value: ((await download('?format=pprof')) / 1e3).toFixed(1),
    },
    { what: 'the same as .cpuprofile, plain, kB', value: ((await download('')) / 1e3).toFixed(1) },
    {
      what: 'agent, recorder on and sending: millicores',
      value: (((after.cpuMs - before.cpuMs) / elapsedMs) * 1_000).toFixed(1),
    },
    {
      what: 'its RSS, MiB (peak since start)',
      value: `${(after.rssBytes / 2 ** 20).toFixed(0)} (${(after.peakRssBytes / 2 ** 20).toFixed(0)})`,
    },
  ];
  const pods = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`shop-${index}`, {}]));
  const fleet = stack.use(await startFleet(pods));
  const commandMs: number[] = [];
  for (let run = 0; run < 3; run++) {
    const atMs = performance.now();
    await fleet.run(listPods, ['-l', 'app=shop'], signal);
    commandMs.push(performance.now() - atMs);
  }
  return [
    {
      title: 'sidescope pods',
      note: "The real kubectl, against doubles of the API server and the agents on the same machine: a cluster's network comes on top.",
      rows: [{ what: '50 pods, 10 at once, s', value: formatSpread(spreadOf(commandMs.map((ms) => ms / 1_000)), 1) }],
    },
    {
      title: 'one sidecar beside the demo shop under its own load',
      note: 'Recorder windows are of 30 s; sizes are the body of the request. Other applications have other stacks: run it beside yours for figures of your own.',
      rows,
    },
  ];
};
