import type { TraceCpu } from '../../protocol/cpu-profile/request-cpu.ts';
import type { RequestWindow } from '../../protocol/cpu-profile/spans.ts';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { ProfileRequests } from '../../protocol/rest/profile-requests.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { TimelineDetail } from '../../protocol/rest/timelines.ts';
import { decodeReadings, decodeRequests, encodeRequests } from '../capture/join-bytes.ts';
import type { JoinQuery } from '../capture/join-profile.ts';
import type { ProfileWorker } from '../capture/profile-worker.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Log } from '../telemetry/log.ts';
import { requestRow, sumUp, functionsMax } from './join-rows.ts';
import { requestWindows } from './request-windows.ts';
import type { TraceStore } from './trace-store.ts';

/** A sender's batches come every 5 s, and a trace is settled 1.5 s later. */
const spansComeMs = 8_000;
const waitingMax = 100;
/** Of those that overlap a request; reading one takes up to a second. */
const profilesMax = 3;

/** Of a stored profile, or of a window that is none: then of an id that no profile has. */
export type JoinedTime = Pick<Profile, 'id' | 'clock' | 'thread' | 'target' | 'startedAt' | 'endedAt'>;

export interface ProfileJoinsOptions {
  /** Undefined without a data directory: then there are no profiles. */
  readonly store: ProfileStore | undefined;
  readonly worker: Pick<ProfileWorker, 'joined'>;
  readonly traces: Pick<TraceStore, 'traces'>;
  readonly targets: { list(): readonly unknown[] };
  readonly log: Log;
  /** When the spans of a capture have come, after its end. Default 8 s. */
  readonly spansComeMs?: number | undefined;
}

/** Which requests ran during a profile, and what a request did on the CPU. */
export class ProfileJoins implements Disposable {
  readonly #options: ProfileJoinsOptions;
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  readonly #onProfile = (profile: Profile): void => this.#keepLater(profile);

  constructor(options: ProfileJoinsOptions) {
    this.#options = options;
    options.store?.on('profile', this.#onProfile);
  }

  /** Rejects with `unknown-profile`, `unsupported-format`, `damaged-profile`, `unreadable-profile`, `analysis-limit`, `too-many-analyses`. */
  async requestsOf(
    profileId: string,
    { limit, signal }: { limit: number; signal: AbortSignal },
  ): Promise<ProfileRequests> {
    const store = this.#requireStore();
    await using reader = await store.open(profileId);
    const { profile, path } = reader;
    if (profile.kind !== 'cpu')
      throw new SidescopeError('unsupported-format', `${profile.kind} has no requests; CPU profiles have`);
    const query = await this.queryOf(profile);
    const positions = store.sourcePositions(profileId);
    const answer = await this.#options.worker.joined(path, query, {
      question: { of: 'requests', limit },
      positions,
      signal,
    });
    if (answer.of !== 'requests') throw new Error('another question was answered');
    const { sums } = answer;
    const readings = query.readings === undefined ? undefined : decodeReadings(query.readings);
    const rows = sums.requests.map((one) => requestRow(one, { profile, activeUs: sums.activeUs }));
    return {
      profileId,
      requests: rows,
      total: sums.count,
      activeMs: sums.activeUs / 1_000,
      attributedMs: sums.attributedUs / 1_000,
      outsideMs: sums.outsideUs / 1_000,
      readings: {
        count: sums.readings,
        dropped: readings?.dropped ?? 0,
        problem: readings === undefined ? 'the active span was not read' : readings.problem,
      },
      reason: rows.length > 0 ? null : noRequests(query, profile),
    };
  }

  /** The `cpu` of a timeline. Never rejects for a profile: what is wrong is the reason. */
  async cpuOf(
    { traceId, profiles }: Pick<TimelineDetail, 'traceId' | 'profiles'>,
    signal: AbortSignal,
  ): Promise<Pick<TimelineDetail, 'cpu' | 'cpuReason'>> {
    const overlapping = profiles.filter(({ kind }) => kind === 'cpu').slice(0, profilesMax);
    if (overlapping.length === 0) return { cpu: null, cpuReason: 'no CPU profile was taken while it ran' };
    const parts: { profileId: string; sums: TraceCpu }[] = [];
    let problem: string | undefined;
    for (const { id } of overlapping) {
      try {
        const sums = await this.#traceIn(id, { traceId, signal });
        if (sums.cpuUs > 0) parts.push({ profileId: id, sums });
      } catch (error) {
        signal.throwIfAborted();
        if (!isSidescopeError(error)) throw error;
        problem = error.message;
      }
    }
    const none = 'no sample of the CPU profiles of its time is known to be its own';
    return parts.length === 0
      ? { cpu: null, cpuReason: problem ?? none }
      : { cpu: sumUp(parts), cpuReason: problem ?? null };
  }

  /** What the profile is joined with now. Of a profile that is older than its spans' way here, what was kept. */
  async queryOf(profile: JoinedTime): Promise<JoinQuery> {
    const store = this.#requireStore();
    const readings = store.loadJoin(profile.id, 'readings');
    const { clock } = profile;
    return {
      readings,
      requests: await this.#requestsDuring(profile, readings),
      wallOffsetMs: clock === null ? null : clock.wallMs + 0.5 - clock.monotonicUs / 1_000,
      isMainThread: profile.thread.kind === 'main',
    };
  }

  [Symbol.dispose](): void {
    this.#options.store?.off('profile', this.#onProfile);
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  async #traceIn(profileId: string, { traceId, signal }: { traceId: string; signal: AbortSignal }): Promise<TraceCpu> {
    const store = this.#requireStore();
    await using reader = await store.open(profileId);
    const answer = await this.#options.worker.joined(reader.path, await this.queryOf(reader.profile), {
      question: { of: 'trace', traceId, limit: functionsMax },
      positions: store.sourcePositions(profileId),
      signal,
    });
    if (answer.of !== 'trace') throw new Error('another question was answered');
    return answer.sums;
  }

  /** Those that were put aside, and those that are in memory: a trace can have come later, or be gone. */
  async #requestsDuring(profile: JoinedTime, readings: Uint8Array | undefined): Promise<RequestWindow[]> {
    const store = this.#requireStore();
    const bytes = store.loadJoin(profile.id, 'requests');
    const kept = bytes === undefined ? [] : decodeRequests(bytes);
    const { traces, targets } = this.#options;
    const spans = readings === undefined ? [] : decodeReadings(readings).spans;
    const isOnly = targets.list().length === 1;
    const live = await requestWindows(traces.traces(), {
      fromMs: Date.parse(profile.startedAt),
      toMs: Date.parse(profile.endedAt),
      isOfProcess: (pid) => (pid === null ? isOnly : pid === profile.target.pid),
      seenSpanIds: new Set(spans.map(({ spanId }) => spanId)),
    });
    const known = new Set(live.map(({ traceId, spanId }) => `${traceId} ${spanId}`));
    return [...live, ...kept.filter(({ traceId, spanId }) => !known.has(`${traceId} ${spanId}`))];
  }

  /** Traces leave the memory; their profile stays. */
  #keepLater(profile: Profile): void {
    if (profile.kind !== 'cpu' || this.#waiting.has(profile.id) || this.#waiting.size >= waitingMax) return;
    if (Date.now() - Date.parse(profile.endedAt) > 60_000) return;
    const timer = setTimeout(() => {
      this.#waiting.delete(profile.id);
      void this.#keep(profile);
    }, this.#options.spansComeMs ?? spansComeMs).unref();
    this.#waiting.set(profile.id, timer);
  }

  async #keep(profile: Profile): Promise<void> {
    try {
      const { requests } = await this.queryOf(profile);
      if (requests.length > 0) this.#requireStore().saveJoin(profile.id, 'requests', encodeRequests(requests));
    } catch (error) {
      // They are joined for as long as the traces are in memory.
      this.#options.log.warn({ err: error, profileId: profile.id }, 'the requests of a profile could not be kept');
    }
  }

  #requireStore(): ProfileStore {
    const { store } = this.#options;
    if (store === undefined) throw new SidescopeError('unknown-profile', 'there is no storage');
    return store;
  }
}

function noRequests({ requests, readings }: JoinQuery, profile: Profile): string {
  if (requests.length > 0) return 'no sample is known to be of one of the requests that were open';
  const age = Date.now() - Date.parse(profile.endedAt);
  if (age < spansComeMs) return 'no spans of that time came yet: senders keep them for some seconds';
  return readings === undefined
    ? 'no spans of that time came, and the active span was not read'
    : 'no spans of that time came, and no reading of the active span found one';
}
