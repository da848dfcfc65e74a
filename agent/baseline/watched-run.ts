import type { Baseline, VersionRecord } from '../../protocol/rest/baseline.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { Identity } from '../service-identity.ts';
import type { BoundTally } from './bound-tally.ts';
import { Findings } from './findings.ts';
import { joinRecords } from './record-join.ts';
import type { Known } from './references.ts';
import { BaselineRun, type RunTimes } from './run.ts';
import type { BaselineState } from './state.ts';
import type { VersionKey } from './state-names.ts';
import { WindowMaker } from './window-maker.ts';
import type { ExtraValues, Window } from './window.ts';

export interface WatchedRunOptions {
  readonly targetId: string;
  readonly instanceId: string;
  readonly startedMs: number;
  readonly attachedMs: number;
  readonly times: RunTimes;
  readonly state: BaselineState;
  readonly bounds: BoundTally;
}

/** Versions of other pods are looked at again after so many windows. */
const refreshWindows = 10;

/** One run of one target: its windows, what is known of its version and of the one before, and what is worse. */
export class WatchedRun {
  readonly targetId: string;
  readonly instanceId: string;
  readonly run: BaselineRun;
  readonly maker: WindowMaker;
  readonly findings = new Findings();
  readonly #state: BaselineState;
  #identity: Identity = { name: '', version: null, source: 'target' };
  #record: VersionRecord | undefined;
  #previous: VersionRecord | undefined;
  #isStorageNew = false;
  #sinceRefresh = Infinity;
  lastWindow: Window | undefined;

  constructor({ targetId, instanceId, startedMs, attachedMs, times, state, bounds }: WatchedRunOptions) {
    this.targetId = targetId;
    this.instanceId = instanceId;
    this.#state = state;
    this.run = new BaselineRun({ startedMs, attachedMs, times, bounds });
    this.maker = new WindowMaker({
      originMs: this.run.beginsMs,
      windowMs: times.windowMs,
      lateMs: times.lateMs,
      bounds,
    });
  }

  get identity(): Identity {
    return this.#identity;
  }

  get key(): VersionKey {
    return { service: this.#identity.name, version: this.#identity.version };
  }

  get record(): VersionRecord | undefined {
    return this.#record;
  }

  get previous(): VersionRecord | undefined {
    return this.#previous;
  }

  /** Nothing of this service was in the state directory when this version came. */
  get isStorageNew(): boolean {
    return this.#isStorageNew;
  }

  get known(): Known {
    const stored = this.#record?.baseline ?? undefined;
    return {
      version: this.#identity.version,
      own: stored === undefined || stored.kind === 'provisional' ? this.run.settled : stored,
      provisional: this.run.provisional ?? stored,
      previous: this.#previous,
    };
  }

  close(vitals: Vitals, atMs: number, extra: () => ExtraValues): Window[] {
    const windows = this.maker.add(vitals, atMs, extra);
    this.lastWindow = windows.at(-1) ?? this.lastWindow;
    return windows;
  }

  /**
   * Reads what is known of the version, and notes when it was first seen: before others that come later. `identity` may be another than before: spans tell
   * more than files do. To be called in turn.
   */
  async learn(identity: Identity, at: string): Promise<void> {
    const isOther = identity.name !== this.#identity.name || identity.version !== this.#identity.version;
    this.#sinceRefresh++;
    if (!isOther && this.#sinceRefresh < refreshWindows) return;
    this.#sinceRefresh = 0;
    this.#identity = identity;
    const versions = await this.#state.versions(identity.name);
    const own = versions.find(({ version }) => version === identity.version);
    if (isOther || own !== undefined) this.#record = own;
    if (own === undefined) await this.#save({ at, baseline: this.run.settled ?? this.run.provisional ?? null });
    const firstMs = Date.parse(this.#record?.firstSeenAt ?? at);
    const earlier = versions.filter(
      ({ version, firstSeenAt }) => version !== identity.version && Date.parse(firstSeenAt) <= firstMs,
    );
    // One that was there for a moment only, as a deployment that was taken back, is none to compare with while there is a better one.
    const isSettled = ({ baseline }: VersionRecord): boolean => baseline !== null && baseline.kind !== 'provisional';
    this.#previous =
      earlier.findLast(isSettled) ?? earlier.findLast(({ baseline }) => baseline !== null) ?? earlier.at(-1);
    if (isOther) this.#isStorageNew = versions.length === 0;
  }

  /** A settled baseline stays, whoever took it, until one is asked for; a provisional one makes room. */
  async keep(baseline: Baseline, at: string): Promise<void> {
    const before = this.#record?.baseline;
    // Somebody set the clock back since: what is asked for last holds all the same.
    const isBack = baseline.kind === 'manual' && before?.kind === 'manual' && before.takenAt >= baseline.takenAt;
    const takenAt = isBack ? new Date(Date.parse(before.takenAt) + 1).toISOString() : baseline.takenAt;
    await this.#save({ at, baseline: { ...baseline, takenAt } });
  }

  async noteProfile(samples: number, at: string): Promise<void> {
    await this.#save({ at, baseline: null, samples });
  }

  /** Onto what is there: other pods and other targets of this version write as well. In memory also where it cannot be written. */
  async #save({ at, baseline, samples }: { at: string; baseline: Baseline | null; samples?: number }): Promise<void> {
    const added: VersionRecord = {
      format: 'sidescope-baseline',
      formatVersion: 1,
      ...this.key,
      firstSeenAt: at,
      lastSeenAt: at,
      baseline,
      profileSamples: samples ?? 0,
    };
    const own = this.#record === undefined ? added : joinRecords(this.#record, added);
    this.#record = (await this.#state.write(own)) ?? own;
  }
}
