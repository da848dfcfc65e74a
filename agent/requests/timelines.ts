import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import { integerOf } from '../../protocol/otlp/attributes.ts';
import { isServed } from '../../protocol/otlp/entry.ts';
import type { WaterfallRequest } from '../../protocol/otlp/waterfall-span.ts';
import { buildWaterfall } from '../../protocol/otlp/waterfall.ts';
import type { HotFunctions, HotFunctionsQuery } from '../../protocol/rest/hot-functions.ts';
import type { RequestHistoryList, RequestHistoryQuery } from '../../protocol/rest/request-history.ts';
import type {
  RequestCounts,
  RouteList,
  RoutesQuery,
  TimelineDetail,
  TimelineList,
  TimelinesQuery,
} from '../../protocol/rest/timelines.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { Targets } from '../attach/targets.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { HotProfiles, type HotProfilesOptions } from './hot-profiles.ts';
import { Moments } from './moments.ts';
import { busiestRoutes, listOperations, listRoutes } from './operation-list.ts';
import { profilesDuring, stallsDuring } from './meanwhile.ts';
import { RequestHistory } from './request-history.ts';
import type { Sampling } from './sampling.ts';
import { mainRequest } from './settle-trace.ts';
import { timelineOf, timelineRows } from './timeline-view.ts';
import { pageOfTraces } from './trace-query.ts';
import { TraceStore } from './trace-store.ts';
import type { TraceSummary } from './trace.ts';

const tickMs = 1_000;

export interface TimelinesOptions {
  readonly targets: Pick<Targets, 'list' | 'view'>;
  readonly monitor: Pick<Monitor, 'listStalls'> & {
    on(event: 'vitals', listener: (vitals: Vitals) => void): unknown;
    off(event: 'vitals', listener: (vitals: Vitals) => void): unknown;
  };
  readonly store: (HotProfilesOptions['store'] & Pick<ProfileStore, 'list'>) | undefined;
  readonly readHotFunctions: HotProfilesOptions['read'];
  /** Why no spans can come, such as a listener that is off; undefined when they can. */
  readonly obstacle?: () => string | undefined;
  readonly budgetBytes?: number | undefined;
  readonly sampling?: Sampling | undefined;
  readonly now?: () => number;
}

/** What the received spans say to a person: requests as waterfalls, routes, hot functions. `sink` is where spans go in. */
export class Timelines extends EventEmitter<{ requests: [RequestCounts] }> implements Disposable {
  readonly sink: TraceStore;
  readonly history: RequestHistory;
  readonly #options: TimelinesOptions;
  readonly #now: () => number;
  readonly #moments = new Moments();
  readonly #profiles: HotProfiles;
  readonly #resources = new DisposableStack();
  #tick: NodeJS.Timeout | undefined;

  constructor(options: TimelinesOptions) {
    super();
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#profiles = new HotProfiles({ store: options.store, read: options.readHotFunctions });
    const { budgetBytes, sampling } = options;
    this.sink = this.#resources.use(
      new TraceStore({ now: this.#now, sampling, ...(budgetBytes !== undefined && { budgetBytes }) }),
    );
    this.sink.on('settled', () => this.#announce());
    const { statistics } = this.sink;
    this.history = new RequestHistory({ now: this.#now, busiestRoutes: () => busiestRoutes(statistics, this.#now()) });
    this.sink.on('request', (request) => this.#record(request));
    const { monitor } = options;
    const onVitals = (vitals: Vitals): void => this.#moments.add(vitals);
    monitor.on('vitals', onVitals);
    this.#resources.defer(() => {
      monitor.off('vitals', onVitals);
      clearTimeout(this.#tick);
    });
  }

  /** Throws `unknown-target`, `invalid-request` for a cursor that is none. */
  list(query: TimelinesQuery): TimelineList {
    if (query.target !== undefined) this.#options.targets.view(query.target);
    const targetIdOf = this.#targetFinder();
    const { page, nextCursor, total } = pageOfTraces(this.sink.traces(), { query, targetIdOf });
    const timelines = page.map(({ trace, summary }) => timelineOf(trace, summary, targetIdOf(summary)));
    return { timelines, nextCursor, total };
  }

  /** Without its CPU, which `ProfileJoins.cpuOf` adds. Throws `unknown-trace`. */
  get(traceId: string): TimelineDetail {
    const trace = this.sink.get(traceId.toLowerCase());
    const summary = trace?.summary;
    if (trace === undefined || summary === undefined)
      throw new SidescopeError('unknown-trace', `no timeline has the trace id ${JSON.stringify(traceId.slice(0, 64))}`);
    const { startMs, requests, hiddenSpans, missingParents } = buildWaterfall(trace.spans);
    const main = mainRequest(requests);
    const targetId = this.#targetFinder()(summary);
    const during = { targetId, startMs: summary.startMs, endMs: summary.startMs + summary.durationMs };
    return {
      ...timelineOf(trace, summary, targetId),
      rows: timelineRows(
        main === undefined ? requests : [main, ...requests.filter((one) => one !== main)],
        summary.startMs - startMs,
      ),
      hiddenSpans,
      droppedSpans: trace.droppedSpans,
      missingParents,
      moments: targetId === null ? [] : this.#moments.during({ ...during, targetId }),
      stalls: stallsDuring(this.#options.monitor, during),
      profiles: profilesDuring(this.#options.store, during),
      cpu: null,
      cpuReason: 'the CPU profiles of its time were not asked',
    };
  }

  /** `untilMs`: as of then, in steps of five minutes. */
  routes({ since, limit = 100, untilMs }: RoutesQuery & { untilMs?: number }): RouteList {
    return listRoutes(this.sink.statistics, { sinceMs: timeOf(since), limit, nowMs: this.#now(), untilMs });
  }

  /** Throws `unknown-target`; rejects with `analysis-limit`, `too-many-analyses` when profiles are read. */
  async hotFunctions(query: HotFunctionsQuery, signal: AbortSignal): Promise<HotFunctions> {
    const { source = 'both', limit = 20, since, target } = query;
    if (target !== undefined) this.#options.targets.view(target);
    const cpu = source === 'spans' ? null : await this.#profiles.list({ since, targetId: target, limit, signal });
    if (source === 'cpu') return { spans: null, cpu };
    const spans = listOperations(this.sink.statistics, { sinceMs: timeOf(since), limit, nowMs: this.#now() });
    return { spans: { ...spans, reason: spans.items.length > 0 ? null : this.#noSpans() }, cpu };
  }

  /** `/users/:id`, or the name of what has no route, once spans of the trace came that say so. For whom only knows an active span, such as a stall. */
  routeOf(traceId: string): string | undefined {
    const trace = this.sink.get(traceId);
    if (trace === undefined) return undefined;
    if (trace.summary !== undefined) return trace.summary.route ?? trace.summary.name;
    const main = mainRequest(buildWaterfall(trace.spans).requests);
    return main?.isWhole === true ? (main.route ?? main.name) : undefined;
  }

  counts(): RequestCounts {
    const { spans, requests, failed } = this.sink.counts;
    return { spans, requests, failed, timelines: this.sink.size };
  }

  /** Throws `unknown-target`, and `invalid-request` when the times are not in order. */
  requestHistory(query: RequestHistoryQuery): RequestHistoryList {
    if (query.target !== undefined) this.#options.targets.view(query.target);
    return this.history.read(query);
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  #noSpans(): string {
    return (
      this.#options.obstacle?.() ??
      this.sink.statistics.sampling.silence() ??
      'no spans came yet: start the application with OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318'
    );
  }

  #record({ entry: { span, failed }, name }: WaterfallRequest): void {
    if (!isServed(span)) return;
    const { startMs, durationMs, resource } = span;
    const pid = integerOf(resource.attributes, 'process.pid') ?? null;
    this.history.add({ name, endMs: startMs + durationMs, durationMs, failed }, this.#targetFinder()({ pid }));
  }

  /** At most once a second, and the last one always. */
  #announce(): void {
    this.#tick ??= setTimeout(() => {
      this.#tick = undefined;
      this.emit('requests', this.counts());
    }, tickMs).unref();
  }

  #targetFinder(): (of: Pick<TraceSummary, 'pid'>) => string | null {
    const targets = this.#options.targets.list();
    const [only, ...others] = targets;
    return ({ pid }) => {
      const byPid = pid === null ? undefined : targets.find(({ identity }) => identity?.pid === pid);
      if (byPid !== undefined) return byPid.id;
      return pid === null && others.length === 0 ? (only?.id ?? null) : null;
    };
  }
}

function timeOf(iso: string | undefined): number | undefined {
  return iso === undefined ? undefined : Date.parse(iso);
}
