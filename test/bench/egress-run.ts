// `egress-run.ts DIRECTORY URL OPTIONS`: sends what the store has queued, and prints what that cost this process, as JSON. A process of its own: the receiver is not in it.
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Egress } from '../../agent/egress/egress.ts';
import { Redactions } from '../../agent/capture/redactions.ts';
// Loaded before the measurement: the bundle has nothing to strip of types.
import '../../agent/egress/open-destination.ts';
import '../../agent/egress/read-egress.ts';
import 'yaml';
import { surroundings } from '../egress/harness.ts';
import { openStore } from '../store/sample.ts';
import { writeConfigFile } from '../support/config-file.ts';
import { waitFor } from '../support/wait-for.ts';
import { readProcess } from './support.ts';

export interface EgressRun {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Of processes that it started: redactions. */
  readonly childCpuMs: number;
  readonly bytes: number;
  readonly startRssBytes: number;
  readonly peakRssBytes: number;
  readonly loopDelayMaxMs: number;
  readonly loopDelayP99Ms: number;
}

const [directory = '', url = '', items = '1', options = ''] = process.argv.slice(2);
const store = await openStore(directory, { budgetBytes: 4e9 });
await using config = await writeConfigFile(
  `egress:\n  - { name: s3, kind: s3, url: "${url}", queue: 4GiB ${options} }\n`,
);
await using redactions = new Redactions();
const loop = monitorEventLoopDelay({ resolution: 1 });
const { rssBytes: startRssBytes } = await readProcess(process.pid);
const before = process.cpuUsage();
loop.enable();
const startMs = performance.now();
const given = { ...surroundings(), times: {}, redactions, store, urls: [], configPath: config.path };
const egress = await Egress.open({ ...given, diskBudgetBytes: 4e9 });
await waitFor(() => egress.view().destinations[0]?.sent === Number(items), {
  deadlineMs: 300_000,
  message: () => JSON.stringify(egress.view()),
});
const wallMs = performance.now() - startMs;
const { user, system } = process.cpuUsage(before);
loop.disable();
const bytes = egress.view().destinations[0]?.sentBytes ?? 0;
await egress.close({ graceMs: 0 });
await store[Symbol.asyncDispose]();
await redactions[Symbol.asyncDispose]();
const run: EgressRun = {
  wallMs,
  cpuMs: (user + system) / 1_000,
  childCpuMs: childCpuMs(),
  bytes,
  startRssBytes,
  peakRssBytes: (await readProcess(process.pid)).peakRssBytes,
  loopDelayMaxMs: loop.max / 1e6,
  loopDelayP99Ms: loop.percentile(99) / 1e6,
};
process.stdout.write(`${JSON.stringify(run)}\n`);

/** cutime and cstime, fields 16 and 17, in hundredths of a second: of children that have ended. */
function childCpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}
