import type { AlertNotice } from '../alerts/alert-sink.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { TargetMetrics } from '../baseline/target-metrics.ts';
import type { Captures } from '../capture/captures.ts';
import type { FlightRecorder } from '../capture/recorder.ts';
import type { HeapAnalyses } from '../capture/heap-analyses.ts';
import type { Redactions } from '../capture/redactions.ts';
import type { StoredProfiles } from '../capture/stored-profiles.ts';
import type { FindingChange } from '../baseline/findings.ts';
import type { Regressions } from '../baseline/regressions.ts';
import type { Egress } from '../egress/egress.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Targets } from '../attach/targets.ts';
import type { Monitor } from '../vitals/monitor.ts';
import type { DeathRecords } from '../memory/death-records.ts';
import type { Leaks } from '../memory/leaks.ts';
import type { MemoryMonitor } from '../memory/monitor.ts';
import type { Death } from '../../protocol/rest/deaths.ts';
import type { Info } from '../../protocol/rest/info.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { DiskUsage, Profile } from '../../protocol/rest/profile.ts';
import type { Scrape } from '../../protocol/rest/series.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { RequestCounts } from '../../protocol/rest/timelines.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { ProfileJoins } from '../requests/join.ts';
import type { Timelines } from '../requests/timelines.ts';
import type { Audit } from '../telemetry/audit.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Rules } from '../rules/rules.ts';
import type { JwtAccess } from './jwt.ts';
import type { Tokens } from './tokens.ts';

/** Something that tells of changes; the methods of the classes are listed so that a test's fake can be typed. */
export interface Source<Name extends string, Value> {
  on(event: Name, listener: (value: Value) => void): unknown;
  off(event: Name, listener: (value: Value) => void): unknown;
}

export type TargetService = Pick<Targets, 'list' | 'view' | 'gone' | 'omitted'> & Source<'change', Target>;

export type CaptureService = Pick<
  Captures,
  | 'startCpu'
  | 'stopCpu'
  | 'startHeapSnapshot'
  | 'forecastHeapSnapshot'
  | 'startHeapSampling'
  | 'readStacks'
  | 'list'
  | 'get'
  | 'cancel'
  | 'waitFor'
> &
  Source<'change', Operation>;

export type StoreService = Pick<ProfileStore, 'get' | 'list' | 'open' | 'patch' | 'delete' | 'deleteMany' | 'usage'> &
  Source<'profile', Profile> &
  Source<'deleted', string> &
  Source<'storage', DiskUsage>;

export type MonitorService = Pick<Monitor, 'vitals' | 'memoryHistory' | 'memoryStats' | 'listStalls'> &
  Source<'vitals', Vitals> &
  Source<'stall', Stall>;

export type AlertService = Pick<Alerts, 'list'> & Source<'change', AlertNotice>;

export type TimelineService = Pick<
  Timelines,
  'list' | 'get' | 'routes' | 'requestHistory' | 'hotFunctions' | 'counts'
> &
  Source<'requests', RequestCounts>;

export type DeathService = Pick<DeathRecords, 'list' | 'noteStacks'> & Source<'death', Death>;

export type TargetMetricsService = Pick<TargetMetrics, 'list' | 'ofProfile'> & {
  readonly series: Source<'scrape', Scrape>;
};

export type RegressionService = Pick<Regressions, 'baseline' | 'takeBaseline' | 'check' | 'list'> &
  Source<'finding', FindingChange>;

export type LeakService = Pick<Leaks, 'list' | 'investigate' | 'on' | 'off'>;

export type RecorderService = Pick<FlightRecorder, 'status'>;

export type RuleService = Pick<Rules, 'list' | 'fire' | 'explain' | 'catchNext' | 'cancelCatch'>;

/** What the admin listener stands on. */
export interface AdminServices {
  readonly targets: TargetService;
  readonly captures: CaptureService;
  readonly monitor: MonitorService;
  readonly alerts: AlertService;
  readonly leaks: LeakService;
  readonly regressions: RegressionService;
  readonly targetMetrics: TargetMetricsService;
  readonly recorder: RecorderService;
  readonly rules: RuleService;
  readonly egress: Pick<Egress, 'view'>;
  readonly deaths: DeathService;
  readonly timelines: TimelineService;
  readonly joins: Pick<ProfileJoins, 'requestsOf' | 'cpuOf'>;
  readonly limits: Pick<MemoryMonitor, 'limitOf'>;
  /** Undefined when the data directory cannot be used: those routes then say why, from the features. */
  readonly store: StoreService | undefined;
  readonly tokens: Tokens;
  /** Tokens of an issuer; off without `--jwks`. */
  readonly jwt: Pick<JwtAccess, 'isOn' | 'authenticate' | 'isCurrent'>;
  /** All of `GET /info` but who asks. */
  info(): Omit<Info, 'you'>;
  readonly storedProfiles: Pick<StoredProfiles, 'convert' | 'summarize' | 'compare' | 'source'>;
  /** What was found in heap snapshots, where `--heap-analysis` is on. */
  readonly heapAnalyses: Pick<HeapAnalyses, 'start' | 'analysed' | 'compared'>;
  /** Heap snapshots without their secrets. */
  readonly redactions: Pick<Redactions, 'open' | 'variant'>;
  /** Where Vite put the page; it may be missing. */
  readonly pageDirectory: string;
  readonly log: Log;
  readonly audit: Audit;
  readonly metrics: Metrics;
  /** Names beside the loopback ones, without a port. */
  readonly allowedHosts: readonly string[];
}
