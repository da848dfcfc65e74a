import { compareAll } from '../../agent/baseline/references.ts';
import { Findings, type FindingChange } from '../../agent/baseline/findings.ts';
import type { Thresholds } from '../../agent/baseline/measures.ts';
import { BaselineRun, runTimes } from '../../agent/baseline/run.ts';
import { WindowMaker, type ServedRequest } from '../../agent/baseline/window-maker.ts';
import type { ExtraValues } from '../../agent/baseline/window.ts';
import type { Baseline, VersionRecord } from '../../protocol/rest/baseline.ts';
import { SimulatedProcess, seededRandom } from '../memory/simulated-process.ts';

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
const readingMs = 5_000;
const startMs = Date.UTC(2026, 0, 31);

export const thresholds: Thresholds = { cpuShare: 0.5, memoryShare: 0.3, series: [] };

export interface Simulated {
  readonly seed: number;
  readonly forMs: number;
  /** Requests per second at a moment of the process's life. */
  readonly rate: (atMs: number) => number;
  /** CPU milliseconds of a request. */
  readonly requestMs?: (atMs: number) => number;
  /** Held beside what requests need. */
  readonly heldMb?: (atMs: number) => number;
  readonly latencyMs?: (atMs: number) => number;
  /** When the agent came. */
  readonly attachedMs?: number;
  readonly previous?: Baseline | undefined;
  /** Steps of the wall clock: what the agent's own clock does not show. */
  readonly extra?: (atMs: number) => ExtraValues;
  /** Requests are told by spans. */
  readonly hasSpans?: boolean;
  /** How long after a request its spans come at the latest. */
  readonly spansLateMs?: number;
  readonly windowMs?: number;
}

export interface Told {
  readonly run: BaselineRun;
  readonly changes: readonly FindingChange[];
  /** What alerted somebody. */
  readonly sent: readonly FindingChange[];
}

const noSeries = { moved: () => [], valueIn: () => undefined };
const nothing: ExtraValues = { counterLoad: null, values: {} };

/** A process that there is not, through the very parts that the agent has, with the clock as an argument: a day takes a second. */
export function simulate(options: Simulated): Told {
  const { seed, forMs, rate, requestMs = () => 8, heldMb = () => 0, latencyMs = () => 30 } = options;
  const { attachedMs = 0, previous, extra = () => nothing, hasSpans = true, spansLateMs = 8_000 } = options;
  const random = seededRandom(seed);
  const process = new SimulatedProcess({
    seed,
    baseMb: 90,
    loadMb: 12,
    garbageMbPerHour: 200,
    load: (atMs) => Math.min(1, rate(atMs) / 40),
    heapLimitMb: 2_000,
    containerLimitMb: 4_000,
    bursts: true,
  });
  const times = runTimes(options.windowMs ?? minuteMs);
  const run = new BaselineRun({ startedMs: startMs, attachedMs: startMs + attachedMs, times });
  const maker = new WindowMaker({ originMs: run.beginsMs, windowMs: times.windowMs, lateMs: times.lateMs });
  let underway: ServedRequest[] = [];
  const findings = new Findings();
  const changes: FindingChange[] = [];
  for (let atMs = attachedMs + readingMs; atMs <= forMs; atMs += readingMs) {
    const requests = poisson(rate(atMs) * (readingMs / 1000), random);
    if (hasSpans)
      for (let i = 0; i < requests; i++) {
        const endedMs = startMs + atMs - random() * readingMs;
        const durationMs = latencyMs(atMs) * (0.5 + random() * 1.2);
        const route = i % 3 === 0 ? 'GET /a' : 'GET /b';
        underway.push({ route, durationMs, endedMs, cameMs: endedMs + spansLateMs * random() });
      }
    for (const request of underway.filter(({ cameMs }) => cameMs <= startMs + atMs)) maker.addRequest(request);
    underway = underway.filter(({ cameMs }) => cameMs > startMs + atMs);
    const reading = process.read(atMs, startMs);
    const cores = 0.004 + ((requests / (readingMs / 1000)) * requestMs(atMs) * (0.9 + 0.2 * random())) / 1000;
    const heldBytes = heldMb(atMs) * 1e6;
    const vitals = {
      ...reading,
      memory: {
        ...reading.memory,
        heapUsedBytes: (reading.memory.heapUsedBytes ?? 0) + heldBytes,
        rssBytes: (reading.memory.rssBytes ?? 0) + heldBytes,
      },
      cpu: { ...reading.cpu, userCores: cores * 0.9, systemCores: cores * 0.1 },
      loop: { ...reading.loop, utilization: Math.min(1, cores), delayP99Ms: 12 + 10 * random() + 60 * cores ** 2 },
      nodeLoad: [4 * random(), 2, 1] as [number, number, number],
    };
    for (const window of maker.add(vitals, startMs + atMs, () => extra(atMs))) {
      const at = new Date(window.toMs).toISOString();
      run.add(window, { takenAt: at, series: [] });
      const windows = run.lasting;
      if (windows === undefined) continue;
      const known = {
        version: '2',
        own: run.settled,
        provisional: run.provisional,
        previous: previous === undefined ? undefined : recordOf(previous),
      };
      const facts = {
        targetId: 't',
        instanceId: 'i',
        service: { name: 'shop', version: '2' },
        at,
        history: run.history,
        series: noSeries,
      };
      changes.push(...findings.update(compareAll(windows, known, thresholds), windows, facts));
    }
  }
  return {
    run,
    changes,
    sent: changes.filter(({ change, regression }) => change !== 'ended' && regression.outcome === 'sent'),
  };
}

/** Busiest at noon, a tenth of that at night. */
export function daily(peak: number): (atMs: number) => number {
  return (atMs) => peak * (0.55 - 0.45 * Math.cos((2 * Math.PI * atMs) / (24 * hourMs)));
}

export function titles(changes: readonly FindingChange[]): string[] {
  return changes.map(({ change, regression }) => `${change} ${regression.outcome}: ${regression.title}`);
}

function recordOf(baseline: Baseline): VersionRecord {
  return {
    format: 'sidescope-baseline',
    formatVersion: 1,
    service: 'shop',
    version: '1',
    firstSeenAt: baseline.from,
    lastSeenAt: baseline.to,
    baseline,
    profileSamples: 0,
  };
}

function poisson(mean: number, random: () => number): number {
  if (mean <= 0) return 0;
  // Near enough for ten and more: a sum of uniforms.
  const noise = random() + random() + random() - 1.5;
  return Math.max(0, Math.round(mean + 2 * noise * Math.sqrt(mean)));
}
