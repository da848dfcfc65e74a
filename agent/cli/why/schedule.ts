import { readText } from '../../attach/process.ts';

/** When each part of one answer is over, in `performance.now()`. */
export interface Schedule {
  readonly attachedByMs: number;
  readonly lookedUntilMs: number;
  readonly answeredByMs: number;
  /** What has not ended then goes on behind the answer. */
  readonly printedByMs: number;
}

const lookMs = 3_000;
const shortestLookMs = 200;
/** What a native call at the end may take longer. */
const patienceMs = 900;
/** On a machine that has no processor for the target, or for us, an answer that is right is better than one that is in time. */
const latestMs = 6_000;

/** The time of one answer: the person who asked has it 5 s later, whatever the target does. What target and asker wait for a processor is not counted. */
export class AnswerTime {
  readonly #startMs = performance.now();
  readonly #pids: readonly number[];
  readonly #delaysMs: Promise<readonly number[]>;

  /** `pid` of the target, where /proc shows it. */
  constructor(pid?: number) {
    this.#pids = pid === undefined ? [process.pid] : [process.pid, pid];
    this.#delaysMs = Promise.all(this.#pids.map(delayOf));
  }

  /** As it is now; never earlier than before. */
  async schedule(): Promise<Schedule> {
    const before = await this.#delaysMs;
    const delaysMs = await Promise.all(this.#pids.map(delayOf));
    const lateMs = Math.max(0, ...delaysMs.map((ms, at) => ms - (before[at] ?? ms)));
    const startMs = this.#startMs + Math.min(lateMs, latestMs);
    return {
      attachedByMs: startMs + 3_900,
      lookedUntilMs: startMs + 3_500,
      answeredByMs: startMs + 4_400,
      // The rest is for starting this program, and for finding the names of the source.
      printedByMs: startMs + 4_750,
    };
  }

  /** Aborts when the attaching is late. Dispose it when that is over. */
  attachDeadline(): Disposable & { readonly signal: AbortSignal } {
    const late = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const arm = async (): Promise<void> => {
      const leftMs = (await this.schedule()).attachedByMs - performance.now();
      if (isOver) return;
      // However late it is, a target that answers at once is not missed.
      if (leftMs > 0 || timer === undefined) timer = setTimeout(() => void arm(), Math.max(shortestLookMs, leftMs));
      else late.abort();
    };
    void arm();
    return {
      signal: late.signal,
      [Symbol.dispose]() {
        isOver = true;
        clearTimeout(timer);
      },
    };
  }
}

/** The look that the attaching has left time for: 3 s when it took none. */
export function lookFrom(
  nowMs: number,
  { lookedUntilMs, answeredByMs }: Schedule,
): { endMs: number; answeredByMs: number } {
  const endMs = Math.max(nowMs + shortestLookMs, Math.min(nowMs + lookMs, lookedUntilMs));
  return { endMs, answeredByMs: Math.max(endMs, Math.min(endMs + patienceMs, answeredByMs)) };
}

/** The value when it is there in time, else `otherwise`. */
export async function within<T>(promise: Promise<T>, otherwise: T, byMs: number): Promise<T> {
  const { promise: late, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(otherwise), Math.max(0, byMs - performance.now()));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long the main thread was ready to run and had no processor, since it began; undefined where the kernel does not say. */
export async function readRunDelayMs(pid: number): Promise<number | undefined> {
  const [, waitedNs] = ((await readText(`/proc/${pid}/task/${pid}/schedstat`)) ?? '').trim().split(' ');
  return waitedNs === undefined ? undefined : Number(waitedNs) / 1e6;
}

async function delayOf(pid: number): Promise<number> {
  return (await readRunDelayMs(pid)) ?? 0;
}
