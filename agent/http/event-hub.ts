import { SidescopeError } from '../../protocol/error.ts';
import type { Death } from '../../protocol/rest/deaths.ts';
import type { SidescopeEvent } from '../../protocol/rest/event.ts';
import type { DiskUsage, Profile } from '../../protocol/rest/profile.ts';
import type { LeakVerdict } from '../../protocol/rest/leaks.ts';
import type { Scrape } from '../../protocol/rest/series.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { RequestCounts } from '../../protocol/rest/timelines.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { AlertNotice } from '../alerts/alert-sink.ts';
import type { FindingChange } from '../baseline/findings.ts';
import { isStillAdmitted } from './auth.ts';
import { EventStream, eventFrame } from './event-stream.ts';
import { OperationPacer } from './operation-pacer.ts';
import type { RouteRequest } from './router.ts';
import type { AdminServices, Source } from './services.ts';
import type { Subject } from './tokens.ts';

const maxStreams = 64;
const heartbeatMs = 15_000;
// setTimeout takes no more than this, and an agent that runs on is asked again by the heartbeat.
const longestTimerMs = 2 ** 31 - 1;

interface Reader {
  readonly stream: EventStream;
  readonly subject: Subject;
  readonly expiry: NodeJS.Timeout | undefined;
}

/** Listens once, writes each event once, and hands the bytes to every reader. */
export class EventHub {
  readonly #services: AdminServices;
  readonly #readers = new Set<Reader>();
  readonly #resources = new DisposableStack();
  #lastId = 0;

  constructor(services: AdminServices) {
    this.#services = services;
    const { targets, captures, monitor, alerts, deaths, leaks, regressions, timelines, store } = services;
    const operations = this.#resources.use(
      new OperationPacer((operation) => this.#send({ type: 'operation', operation })),
    );
    this.#listen(targets, 'change', (target) => this.#send({ type: 'target', target }));
    this.#listen(captures, 'change', (operation) => operations.push(operation));
    this.#listen<'vitals', Vitals>(monitor, 'vitals', (vitals) => this.#send({ type: 'vitals', vitals }));
    this.#listen<'stall', Stall>(monitor, 'stall', (stall) => this.#send({ type: 'stall', stall }));
    this.#listen<'change', AlertNotice>(alerts, 'change', ({ change, alert: { evidence: _, ...alert } }) =>
      this.#send({ type: 'alert', change, alert }),
    );
    this.#listen<'death', Death>(deaths, 'death', ({ vitals: _v, lastReading: _l, stacks: _k, stall: _s, ...death }) =>
      this.#send({ type: 'death', death }),
    );
    this.#listen<'verdict', LeakVerdict>(leaks, 'verdict', (leak) => this.#send({ type: 'leak', leak }));
    this.#listen<'evidence', LeakVerdict>(leaks, 'evidence', (leak) => this.#send({ type: 'leak', leak }));
    this.#listen<'finding', FindingChange>(regressions, 'finding', ({ change, regression }) =>
      this.#send({ type: 'regression', change, regression }),
    );
    this.#listen<'requests', RequestCounts>(timelines, 'requests', (requests) =>
      this.#send({ type: 'requests', requests }),
    );
    this.#listen<'scrape', Scrape>(services.targetMetrics.series, 'scrape', (scrape) =>
      this.#send({ type: 'scrape', scrape }),
    );
    if (store !== undefined) {
      this.#listen<'profile', Profile>(store, 'profile', (profile) => this.#send({ type: 'profile', profile }));
      this.#listen<'deleted', string>(store, 'deleted', (profileId) =>
        this.#send({ type: 'profile-deleted', profileId }),
      );
      this.#listen<'storage', DiskUsage>(store, 'storage', (storage) => this.#send({ type: 'storage', storage }));
    }
    const heartbeat = setInterval(() => void this.#beat(), heartbeatMs).unref();
    this.#resources.defer(() => clearInterval(heartbeat));
  }

  /** The answer of `GET /events`: `hello` first, then everything that changes until the credential ends. */
  open(request: RouteRequest<'events'>): Response {
    const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
    if (request.method === 'HEAD') return new Response(null, { headers });
    if (this.#resources.disposed) throw new SidescopeError('shutting-down', 'the agent is stopping');
    if (this.#readers.size >= maxStreams)
      throw new SidescopeError('too-many-streams', `${maxStreams} event streams are open, which is the limit`, {
        details: { retryAfterSeconds: 15 },
      });
    const { version, startedAt } = this.#services.info();
    const stream = this.#add(request.subject);
    const requests = this.#services.timelines.counts();
    stream.push(eventFrame({ type: 'hello', version, agentStartedAt: startedAt }, this.#lastId));
    // No list of the page has it, and the next one may come in an hour.
    if (requests.spans > 0) stream.push(eventFrame({ type: 'requests', requests }, this.#lastId));
    return new Response(stream.body, { headers });
  }

  /** Ends every stream. */
  close(): void {
    this.#resources.dispose();
    for (const reader of this.#readers) this.#remove(reader);
  }

  #add(subject: Subject): EventStream {
    const { metrics } = this.#services;
    const stream = new EventStream({
      onDropped: (events) => metrics.eventsDroppedTotal.inc(events),
      onEnd: () => this.#remove(reader),
    });
    const leftMs = subject.expiresAtMs - Date.now();
    const expiry =
      leftMs < longestTimerMs ? setTimeout(() => this.#remove(reader), Math.max(0, leftMs)).unref() : undefined;
    const reader: Reader = { stream, subject, expiry };
    this.#readers.add(reader);
    metrics.eventStreams.set(this.#readers.size);
    return stream;
  }

  #remove(reader: Reader): void {
    clearTimeout(reader.expiry);
    reader.stream.end();
    this.#readers.delete(reader);
    this.#services.metrics.eventStreams.set(this.#readers.size);
  }

  #send(event: SidescopeEvent): void {
    this.#lastId += 1;
    if (this.#readers.size === 0) return;
    const frame = eventFrame(event, this.#lastId);
    for (const { stream } of this.#readers) stream.push(frame);
  }

  async #beat(): Promise<void> {
    for (const reader of [...this.#readers]) {
      // Taken out of the token file meanwhile.
      if (await isStillAdmitted(this.#services, reader.subject)) reader.stream.beat();
      else this.#remove(reader);
    }
  }

  #listen<Name extends string, Value>(
    source: Source<Name, Value>,
    event: Name,
    listener: (value: Value) => void,
  ): void {
    source.on(event, listener);
    this.#resources.defer(() => source.off(event, listener));
  }
}
