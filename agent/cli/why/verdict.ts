import type { ActiveSpan } from '../../../protocol/inspector/readings.ts';
import type { Observation, ThreadObservation } from './observe.ts';
import { certainLine } from './certain-line.ts';
import { hotspotOfProfile, hotspotOfStacks, sharesOf } from './places.ts';
import type { Hotspot, Shares } from './places.ts';
import type { UsageRates } from './process-usage.ts';

/** Stable: scripts match on it. */
export type VerdictCode =
  | 'blocked'
  | 'native-call'
  | 'was-blocked'
  | 'collecting-garbage'
  | 'throttled'
  | 'busy'
  | 'worker-busy'
  | 'working'
  | 'waiting';

export interface Verdict {
  readonly code: VerdictCode;
  /** One sentence without its stop. */
  readonly text: string;
  /** The thread that it is about: `main`, `worker-1`. */
  readonly thread: string;
  readonly hotspot: Hotspot | null;
  /** The stack was read just behind a native call, so the call itself may be the line before. */
  readonly isNearby: boolean;
  readonly span: ActiveSpan | null;
  readonly shares: Shares | null;
  readonly busyWorkers: readonly { readonly thread: string; readonly hotspot: Hotspot }[];
}

/** A loop or a regular expression answers within 30 ms, on a loaded machine within 150. */
const nativeReplyMs = 250;
const busyAtLeast = 0.9;
const workingAtLeast = 0.1;
const collectingAtLeast = 0.3;
const throttledAtLeast = 0.2;
const mostly = 0.5;

const sleeping: Shares = { javascript: 0, native: 0, gc: 0, waiting: 1 };

/** What an observation means. The first that fits: what keeps the process from answering comes before what makes it slow. */
export function judge(observation: Observation, rates: UsageRates | undefined): Verdict {
  const [main, ...workers] = observation.threads;
  if (main === undefined) throw new Error('an observation has a main thread');
  const shares = observation.profile === null ? null : sharesOf(observation.profile);
  const seen = { samples: main.samples, profile: observation.profile };
  const exact = (hotspot: Hotspot | null): Hotspot | null => hotspot && certainLine(hotspot, seen);
  const ofStacks = exact(hotspotOfStacks(main.samples));
  const ofProfile = exact(observation.profile && hotspotOfProfile(observation.profile));
  const busyWorkers = workers.flatMap((worker) => busyWorker(worker, observation));
  const slow = main.samples.filter(({ waitedMs }) => waitedMs > nativeReplyMs);
  const isSlow = main.unansweredMs > nativeReplyMs || slow.length > main.samples.length / 3;
  const isNative = isSlow || (shares?.native ?? 0) > mostly;
  const blockedAtLeastMs = blockedAtLeast(observation);
  const common = {
    thread: 'main',
    // A stack is of the moment; of what runs in native code only the profile's sampler, which uses signals, sees the moment.
    hotspot: isNative ? (ofProfile ?? ofStacks) : (ofStacks ?? ofProfile),
    isNearby: isSlow && ofProfile === null,
    span: spanOf(main),
    // V8's sampler sees the caller of Atomics.wait and cannot know that it sleeps.
    shares: shares !== null && ofStacks?.doing === 'Atomics.wait' ? sleeping : shares,
    busyWorkers,
  };
  const decide = (code: VerdictCode, text: string, change: Partial<Verdict> = {}): Verdict => ({
    code,
    text,
    ...common,
    ...change,
  });

  if (rates?.throttledRatio !== undefined && (rates.throttledRatio ?? 0) >= throttledAtLeast) {
    const limit = rates.cpuLimitCores === null ? '' : ` of ${rates.cpuLimitCores} cores`;
    return decide(
      'throttled',
      `the CPU limit${limit} keeps it waiting ${percent(rates.throttledRatio ?? 0)} of the time`,
      // The sampler cannot tell a thread that may not run from one in native code.
      { shares: null },
    );
  }
  if (main.blockedMs >= blockedAtLeastMs && main.unansweredMs >= blockedAtLeastMs) {
    const text =
      main.unansweredMs < 1_000
        ? 'is in a native call'
        : `has been in a native call for ${seconds(main.unansweredMs)} or longer`;
    return decide('native-call', `the main thread ${text}`);
  }
  if ((shares?.gc ?? 0) >= collectingAtLeast) {
    const stuck =
      main.blockedMs < blockedAtLeastMs
        ? ''
        : `the event loop has not turned for ${seconds(main.blockedMs)} or longer: `;
    return decide(
      'collecting-garbage',
      `${stuck}garbage collection takes ${percent(shares?.gc ?? 0)} of the main thread's time`,
    );
  }
  if (main.blockedMs >= blockedAtLeastMs)
    return decide(
      'blocked',
      `the event loop has not turned for ${seconds(main.blockedMs)} or longer: ${cause(common.hotspot, isNative)}`,
    );
  if (main.longestTurnMs >= blockedAtLeastMs)
    return decide(
      'was-blocked',
      `the event loop turns, with a pause of ${seconds(main.longestTurnMs)}: ${cause(common.hotspot, isNative)}`,
      {
        hotspot: ofProfile ?? ofStacks,
      },
    );
  const active = shares === null ? 0 : 1 - shares.waiting;
  if (active >= busyAtLeast)
    return decide('busy', `the event loop turns and is saturated: ${percent(active)} of the time it works`, {
      hotspot: ofProfile,
    });
  const [worker] = busyWorkers;
  if (worker !== undefined && active < mostly) {
    const main = active < workingAtLeast ? 'waits for events' : `works ${percent(active)} of the time`;
    return decide('worker-busy', `the main thread ${main}, and ${worker.thread} computes without a pause`, {
      ...worker,
      isNearby: false,
      busyWorkers: busyWorkers.slice(1),
      span: spanOf(workers.find(({ id }) => id === worker.thread)),
    });
  }
  if (active >= workingAtLeast)
    return decide('working', `the event loop turns; it works ${percent(active)} of the time`, { hotspot: ofProfile });
  return decide('waiting', 'idle: the event loop turns and waits for events', { hotspot: null, span: null });
}

function cause(hotspot: Hotspot | null, isNative: boolean): string {
  const { doing = null } = hotspot ?? {};
  if (doing?.startsWith('RegExp') === true) return 'a regular expression does not come to an end';
  if (doing === 'Atomics.wait') return 'it waits in Atomics.wait';
  if (isNative) return doing === null ? 'native work without a pause' : `native work (${doing}) without a pause`;
  return 'synchronous JavaScript runs without a pause';
}

function busyWorker(
  { id, blockedMs, samples, unansweredMs }: ThreadObservation,
  observation: Observation,
): { thread: string; hotspot: Hotspot }[] {
  const leastMs = blockedAtLeast(observation);
  if (blockedMs < leastMs && unansweredMs < leastMs) return [];
  const hotspot = hotspotOfStacks(samples);
  return hotspot === null ? [] : [{ thread: id, hotspot }];
}

/** A second; where reaching the target has left less time to look, nearly all of that. */
function blockedAtLeast({ durationMs }: Observation): number {
  return Math.min(1_000, durationMs * 0.75);
}

/** The one that most samples saw, with what another one of it knows of the route. */
function spanOf(thread: ThreadObservation | undefined): ActiveSpan | null {
  const spans = thread?.samples.flatMap(({ span }) => span ?? []) ?? [];
  const groups = [...Map.groupBy(spans, ({ traceId, spanId }) => `${traceId} ${spanId}`).values()];
  return groups.toSorted((a, b) => b.length - a.length)[0]?.at(-1) ?? null;
}

export function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
