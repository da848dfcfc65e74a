import { SidescopeError } from '../../protocol/error.ts';
import { delayResolutionMs, vitalsExpression } from '../../protocol/inspector/expressions.ts';
import { decodeThreadVitals } from '../../protocol/inspector/vitals-readings.ts';
import type { ProbeReading, ThreadVitals } from '../../protocol/inspector/vitals-readings.ts';
import type { TargetIdentity } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import { Asker } from './asker.ts';
import type { TargetSchedules } from './cpu-wait.ts';
import { findCgroup, type Cgroup, type CgroupReading } from './cgroup.ts';
import { newMeasures } from './measures.ts';
import type { Probe } from './probe.ts';
import { ProcessFiles, type ProcessReading, type ThreadSchedule } from './process-files.ts';
import { starvedRatio } from './starved.ts';

/** A loop or a regular expression is interrupted within 30 ms; what takes longer is native. */
const giveUpMs = 2_000;
const answerTimeoutMs = 24 * 3_600_000;
const maxWorkers = 16;
/** V8 ends a question that hangs after 200 ms, which are a stall of ours: after one this many readings go without it. */
const restReadings = 12;

/** What one reading saw, for the rates of the next one. */
interface Seen {
  readonly atMs: number;
  readonly main: ThreadVitals | undefined;
  readonly process: ProcessReading | undefined;
  readonly schedule: ThreadSchedule | undefined;
  readonly cgroup: CgroupReading | undefined;
  readonly workers: ReadonlyMap<string, ThreadVitals>;
}

interface Files {
  readonly process: ProcessFiles | undefined;
  readonly cgroup: Cgroup | undefined;
}

interface Answer<T> {
  readonly value: T | undefined;
  readonly error: SidescopeError | undefined;
}

/** The readings of one attachment, one after the other. Each costs the target about a millisecond. */
export class VitalsReader {
  readonly #targetId: string;
  readonly #identity: TargetIdentity;
  readonly #attachment: Attachment;
  readonly #signal: AbortSignal;
  readonly #askers = new WeakMap<AttachedThread, Asker>();
  readonly #resting = new WeakMap<AttachedThread, { error: SidescopeError; readings: number }>();
  readonly #probeAsker = new Asker('the main thread');
  #files: Files | undefined;
  #last: Seen = {
    atMs: performance.now(),
    main: undefined,
    process: undefined,
    schedule: undefined,
    cgroup: undefined,
    workers: new Map(),
  };
  #knownWorkers: ReadonlySet<AttachedThread> = new Set();

  constructor(parts: { targetId: string; identity: TargetIdentity; attachment: Attachment; signal: AbortSignal }) {
    this.#targetId = parts.targetId;
    this.#identity = parts.identity;
    this.#attachment = parts.attachment;
    this.#signal = parts.signal;
  }

  /** Never rejects for what the target does: `error` and `problems` say what it did. */
  async read(probe: Probe | undefined): Promise<Vitals> {
    const [mainThread, ...others] = this.#attachment.threads();
    if (mainThread === undefined) throw new Error('an attachment has a main thread');
    // Those that are new, and may be gone in a moment, are not asked: 200 short workers cost nothing.
    const known = others.filter((worker) => this.#knownWorkers.has(worker));
    const workers = known.slice(0, maxWorkers);
    this.#knownWorkers = new Set(others);
    const { process: files, cgroup: group } = (this.#files ??= await this.#findFiles());
    const at = new Date().toISOString();
    const [main, probed, process, cgroup, ...answers] = await Promise.all([
      this.#readThread(mainThread),
      this.#readProbe(probe),
      files?.read(),
      group?.read(),
      ...workers.map((worker) => this.#readThread(worker)),
    ]);
    const seen: Seen = {
      atMs: performance.now(),
      main: main.value,
      process,
      schedule: files?.schedule(),
      cgroup,
      workers: new Map(
        workers.flatMap(({ thread }, index) => {
          const value = answers[index]?.value;
          return value === undefined ? [] : [[thread.id, value]];
        }),
      ),
    };
    const before = this.#last;
    this.#last = seen;
    const elapsedMs = seen.atMs - before.atMs;
    return {
      targetId: this.#targetId,
      instanceId: this.#identity.instanceId,
      at,
      error: failureOf(main.error),
      problems: problemsOf(main, probed),
      memory: memoryOf({ main: main.value, probed: probed.value, process, cgroup }),
      cpu: cpuOf({ before, seen, elapsedMs, isEveryWorkerRead: workers.length === others.length }),
      nodeLoad: probed.value === undefined ? null : [...probed.value.load],
      loop: loopOf({ before: before.main, now: main.value, probed: probed.value, elapsedMs }),
      gc: probe === undefined || probed.value === undefined || probed.value.gc === null ? null : gcOf(probe),
      activeResources: (main.value?.resources ?? []).map(([kind, count]) => ({ kind, count })),
      uptimeMs: main.value?.uptimeMs ?? null,
      measures: newMeasures(before.main?.measures, main.value?.measures ?? null),
      threads: workers.map(({ thread }, index) => {
        const now = answers[index]?.value;
        const then = before.workers.get(thread.id);
        return {
          thread: thread.id,
          title: thread.title,
          heapUsedBytes: now?.memory?.heapUsedBytes ?? null,
          heapTotalBytes: now?.memory?.heapTotalBytes ?? null,
          externalBytes: now?.memory?.externalBytes ?? null,
          arrayBuffersBytes: now?.memory?.arrayBuffersBytes ?? null,
          utilization: utilizationOf(then, now),
          cpuCores: rate(then?.threadCpuUs, now?.threadCpuUs, elapsedMs * 1000),
          error: failureOf(answers[index]?.error),
        };
      }),
      omittedThreads: known.length - workers.length,
      cgroup:
        cgroup === undefined ? null : { ...cgroup, throttledRatio: throttledOf(before.cgroup, cgroup, elapsedMs) },
    };
  }

  /** Memory alone, now; what only the probe tells is that of `latest`. Rejects with `inspector-timeout`, `inspector-bad-answer`. */
  async readMemory(
    latest: Vitals | undefined,
  ): Promise<Pick<Vitals, 'at' | 'memory'> & { cgroup: CgroupReading | null }> {
    const [mainThread] = this.#attachment.threads();
    if (mainThread === undefined) throw new Error('an attachment has a main thread');
    const { process: files, cgroup: group } = (this.#files ??= await this.#findFiles());
    const at = new Date().toISOString();
    const [main, process, cgroup] = await Promise.all([this.#readThread(mainThread), files?.read(), group?.read()]);
    if (main.value === undefined && process === undefined) throw main.error ?? new Error('no answer and no error');
    const now = memoryOf({ main: main.value, probed: undefined, process, cgroup });
    const { heapLimitBytes = null, spaces = [] } = latest?.memory ?? {};
    return { at, memory: { ...now, heapLimitBytes, spaces }, cgroup: cgroup ?? null };
  }

  /** The state letter of the process, `T` when a signal stopped it; undefined where the kernel does not show it. */
  async processState(): Promise<string | undefined> {
    return (await this.#files?.process?.read())?.state;
  }

  /** So far; undefined where the kernel does not show it. */
  schedules(): TargetSchedules {
    const process = this.#files?.process;
    return { main: process?.schedule(), inspector: process?.inspectorSchedule() };
  }

  /** Throttled so far; null where the cgroup cannot be read. */
  async throttledMs(): Promise<number | null> {
    return (await this.#files?.cgroup?.read())?.throttledMs ?? null;
  }

  async #findFiles(): Promise<Files> {
    const process = await ProcessFiles.find(this.#identity);
    return { process, cgroup: process === undefined ? undefined : await findCgroup(process.directory) };
  }

  async #readThread(thread: AttachedThread): Promise<Answer<ThreadVitals>> {
    const resting = this.#resting.get(thread);
    if (resting !== undefined && --resting.readings >= 0) return { value: undefined, error: resting.error };
    let asker = this.#askers.get(thread);
    if (asker === undefined) this.#askers.set(thread, (asker = new Asker(`thread ${thread.thread.id}`)));
    const options = { timeoutMs: answerTimeoutMs, signal: this.#signal };
    const ask = async (): Promise<ThreadVitals> =>
      decodeThreadVitals(await thread.session.evaluate(vitalsExpression, options));
    const answer = await answered(asker.ask(ask, { giveUpMs }));
    if (answer.error?.code === 'inspector-refused')
      this.#resting.set(thread, { error: answer.error, readings: restReadings });
    return answer;
  }

  async #readProbe(probe: Probe | undefined): Promise<Answer<ProbeReading>> {
    if (probe === undefined) return { value: undefined, error: undefined };
    return answered(this.#probeAsker.ask(() => probe.read(), { giveUpMs }));
  }
}

async function answered<T>(answer: Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await answer, error: undefined };
  } catch (error) {
    if (!(error instanceof SidescopeError)) throw error;
    return { value: undefined, error };
  }
}

function failureOf(error: SidescopeError | undefined): { code: string; message: string } | null {
  return error === undefined ? null : { code: error.code, message: error.message };
}

function problemsOf(main: Answer<ThreadVitals>, probed: Answer<ProbeReading>): string[] {
  const parts = (main.value?.problems ?? []).map(([part, reason]) => `${part}: ${reason}`);
  // A silent thread is silent to both questions.
  return probed.error === undefined || main.error !== undefined ? parts : [...parts, `probe: ${probed.error.message}`];
}

function memoryOf(parts: {
  main: ThreadVitals | undefined;
  probed: ProbeReading | undefined;
  process: ProcessReading | undefined;
  cgroup: CgroupReading | undefined;
}): Vitals['memory'] {
  const { main, probed, process, cgroup } = parts;
  const memory = main?.memory;
  return {
    rssBytes: memory?.rssBytes ?? process?.rssBytes ?? null,
    heapUsedBytes: memory?.heapUsedBytes ?? null,
    heapTotalBytes: memory?.heapTotalBytes ?? null,
    heapLimitBytes: probed?.heapLimitBytes ?? null,
    externalBytes: memory?.externalBytes ?? null,
    arrayBuffersBytes: memory?.arrayBuffersBytes ?? null,
    containerLimitBytes: cgroup?.memoryMaxBytes ?? main?.constrainedBytes ?? null,
    spaces: (probed?.spaces ?? []).map(([name, usedBytes, sizeBytes]) => ({ name, usedBytes, sizeBytes })),
  };
}

function cpuOf(parts: { before: Seen; seen: Seen; elapsedMs: number; isEveryWorkerRead: boolean }): Vitals['cpu'] {
  const { before, seen, elapsedMs, isEveryWorkerRead } = parts;
  const elapsedUs = elapsedMs * 1000;
  const userCores =
    rate(before.main?.cpu?.userUs, seen.main?.cpu?.userUs, elapsedUs) ??
    rate(before.process?.userMs, seen.process?.userMs, elapsedMs);
  const systemCores =
    rate(before.main?.cpu?.systemUs, seen.main?.cpu?.systemUs, elapsedUs) ??
    rate(before.process?.systemMs, seen.process?.systemMs, elapsedMs);
  const mainCores =
    rate(before.main?.threadCpuUs, seen.main?.threadCpuUs, elapsedUs) ??
    rate(before.process?.mainMs, seen.process?.mainMs, elapsedMs);
  const workers = [...seen.workers].map(([id, now]) =>
    rate(before.workers.get(id)?.threadCpuUs, now.threadCpuUs, elapsedUs),
  );
  const workerCores =
    isEveryWorkerRead && workers.every((cores) => cores !== null)
      ? workers.reduce<number>((sum, cores) => sum + (cores ?? 0), 0)
      : null;
  const isSplit = userCores !== null && systemCores !== null && mainCores !== null && workerCores !== null;
  return {
    userCores,
    systemCores,
    mainCores,
    workerCores,
    otherCores: isSplit ? Math.max(0, userCores + systemCores - mainCores - workerCores) : null,
    starvedRatio: starvedRatio(before.schedule, seen.schedule),
  };
}

function loopOf(parts: {
  before: ThreadVitals | undefined;
  now: ThreadVitals | undefined;
  probed: ProbeReading | undefined;
  elapsedMs: number;
}): Vitals['loop'] {
  const { before, now, probed, elapsedMs } = parts;
  const delay = probed?.delayNs ?? null;
  // Node records the time between two ticks of a timer: its period is no delay.
  const delayMs = (ns: number | undefined): number | null =>
    ns === undefined ? null : Math.max(0, ns / 1e6 - delayResolutionMs);
  return {
    utilization: utilizationOf(before, now),
    delayMeanMs: delayMs(delay?.mean),
    delayP99Ms: delayMs(delay?.p99),
    delayMaxMs: delayMs(delay?.max),
    turnsPerSecond: rate(before?.turns, now?.turns, elapsedMs / 1000),
  };
}

function utilizationOf(before: ThreadVitals | undefined, now: ThreadVitals | undefined): number | null {
  const then = before?.loop ?? undefined;
  const latest = now?.loop ?? undefined;
  if (then === undefined || latest === undefined) return null;
  const idleMs = latest.idleMs - then.idleMs;
  const activeMs = latest.activeMs - then.activeMs;
  return idleMs >= 0 && activeMs >= 0 && idleMs + activeMs > 0 ? activeMs / (idleMs + activeMs) : null;
}

function gcOf(probe: Probe): NonNullable<Vitals['gc']> {
  const kinds = [...probe.takeGc()].map(([kind, { count, pauseMs }]) => ({ kind, count, pauseMs }));
  return {
    count: kinds.reduce((sum, { count }) => sum + count, 0),
    pauseMs: kinds.reduce((sum, { pauseMs }) => sum + pauseMs, 0),
    kinds,
  };
}

function throttledOf(before: CgroupReading | undefined, now: CgroupReading, elapsedMs: number): number | null {
  return rate(before?.throttledMs, now.throttledMs, elapsedMs);
}

/** Null for what went backwards as well: a counter of another process, or a broken clock. */
function rate(before: number | null | undefined, now: number | null | undefined, per: number): number | null {
  const [from, to] = [before ?? undefined, now ?? undefined];
  if (from === undefined || to === undefined || to < from || per <= 0) return null;
  return (to - from) / per;
}
