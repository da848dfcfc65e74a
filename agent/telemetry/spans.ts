import { setTimeout as delay } from 'node:timers/promises';
import type { AlertNotice } from '../alerts/alert-sink.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { version } from '../version.ts';
import type { FinishedSpan } from './finished-span.ts';
import type { Log } from './log.ts';
import type { SpanExport } from './span-exporter.ts';

interface Source<Name extends string, Value> {
  on(event: Name, listener: (value: Value) => void): unknown;
  off(event: Name, listener: (value: Value) => void): unknown;
}

export interface OwnSpansOptions {
  /** Of OTLP over HTTP; `/v1/traces` is added where it is missing. Undefined: off. */
  readonly endpoint: URL | undefined;
  /** The endpoint is the agent's own receiver: off, its spans are not the application's. */
  readonly isLoop?: boolean;
  readonly captures: Source<'change', Operation>;
  readonly alerts: Source<'change', AlertNotice>;
  /** Pod, namespace, node, container. */
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Pick<Log, 'warn' | 'info'>;
}

/** Spans that wait until the SDK is loaded; it is quick. */
const maxWaiting = 100;

/**
 * Captures and alerts as spans of the agent: a capture when it ends, an alert as a moment when it opens and as its whole time when it closes. Nothing
 * of the agent's own HTTP is traced, and no span holds a credential, evidence, or anything read from a heap. The SDK is loaded with the first span.
 */
export class OwnSpans implements AsyncDisposable {
  readonly #options: OwnSpansOptions;
  readonly #resources = new DisposableStack();
  #export: Promise<SpanExport | undefined> | undefined;
  #waiting = 0;
  #isClosed = false;
  #problem: string | undefined;
  readonly counts = { exported: 0, failed: 0, dropped: 0 };

  constructor(options: OwnSpansOptions) {
    this.#options = options;
    const { endpoint, isLoop = false, captures, alerts } = options;
    if (endpoint === undefined || isLoop) return;
    const ended = endedOnce();
    this.#listen(captures, (operation) => ended(operation) && this.#add(spanOfCapture(operation)));
    this.#listen(alerts, (notice) => {
      if (notice.change === 'opened' || notice.change === 'closed') this.#add(spanOfAlert(notice));
    });
  }

  feature(): Feature {
    const name = 'own-spans';
    if (this.#options.endpoint === undefined) {
      const remedy = 'Set --telemetry-endpoint to send captures and alerts as spans.';
      return { name, state: 'off', reason: 'it is not configured', remedy };
    }
    if (this.#options.isLoop === true) {
      const remedy = 'Set --telemetry-endpoint to a collector.';
      return { name, state: 'off', reason: "the endpoint is this agent's own receiver", remedy };
    }
    const reason = this.#problem === undefined ? null : `the last spans were not taken: ${this.#problem}`;
    return { name, state: 'on', reason, remedy: null };
  }

  /** What is queued has `graceMs`, and until `signal`, to leave. */
  async close({ graceMs, signal }: { graceMs: number; signal?: AbortSignal | undefined }): Promise<void> {
    this.#resources.dispose();
    this.#isClosed = true;
    const over = new AbortController();
    const until = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
    // `ref: false` would let the process end before. Cut short by either signal: both mean that nobody waits any more.
    const deadline = delay(graceMs, undefined, { signal: until }).catch(() => undefined);
    // Why they were not taken has been told and counted.
    const closing = this.#export?.then((spans) => spans?.close()).catch(() => undefined);
    await Promise.race([closing, deadline]);
    over.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ graceMs: 0 });
  }

  #listen<Value>(source: Source<'change', Value>, listener: (value: Value) => unknown): void {
    const onChange = (value: Value): void => void listener(value);
    source.on('change', onChange);
    this.#resources.defer(() => source.off('change', onChange));
  }

  #add(span: FinishedSpan): void {
    if (this.#waiting >= maxWaiting || this.#isClosed) {
      this.counts.dropped += 1;
      return;
    }
    this.#waiting += 1;
    this.#export ??= this.#load();
    void this.#export.then((spans) => {
      this.#waiting -= 1;
      if (spans === undefined) this.counts.dropped += 1;
      else spans.add(span);
    });
  }

  async #load(): Promise<SpanExport | undefined> {
    const { endpoint, environment } = this.#options;
    if (endpoint === undefined) return undefined;
    try {
      const { createSpanExport } = await import('./span-exporter.ts');
      return createSpanExport({
        url: tracesUrl(endpoint),
        resource: resourceOf(environment),
        version,
        onExported: (count, problem) => this.#onExported(count, problem),
      });
    } catch (error) {
      this.#onExported(0, `the OpenTelemetry SDK cannot be used: ${String(error)}`);
      return undefined;
    }
  }

  #onExported(count: number, problem: string | undefined): void {
    this.counts[problem === undefined ? 'exported' : 'failed'] += count;
    if (problem !== undefined && this.#problem === undefined)
      this.#options.log.warn({ endpoint: this.#options.endpoint?.host }, `own spans are not taken: ${problem}`);
    if (problem === undefined && this.#problem !== undefined) this.#options.log.info('own spans are taken again');
    this.#problem = problem;
  }
}

/** An ended operation may change again (it expires): it is told once. */
function endedOnce(): (operation: Operation) => boolean {
  const active = new Set<string>();
  return ({ id, state }) => {
    if (isEndedState(state)) return active.delete(id);
    active.add(id);
    return false;
  };
}

function spanOfCapture(operation: Operation): FinishedSpan {
  const { id, kind, state, targetId, thread, createdAt, startedAt, endedAt, progress, profileIds, error } = operation;
  return {
    name: `capture ${kind}`,
    startMs: Date.parse(startedAt ?? createdAt),
    endMs: endedAt === null ? Date.now() : Date.parse(endedAt),
    attributes: {
      'sidescope.operation.id': id,
      'sidescope.capture.kind': kind,
      'sidescope.capture.state': state,
      'sidescope.target': targetId,
      'sidescope.thread': thread,
      'sidescope.capture.bytes': progress.bytes,
      'sidescope.capture.queued_ms': startedAt === null ? 0 : Date.parse(startedAt) - Date.parse(createdAt),
      'sidescope.profile.ids': [...profileIds],
      ...(error !== null && { 'error.type': error.code }),
    },
    problem: state === 'failed' ? (error?.message ?? 'failed') : undefined,
  };
}

function spanOfAlert({ change, alert }: AlertNotice): FinishedSpan {
  const { id, problem, key, severity, targetId, title, service, openedAt, closedAt, reports, traceId } = alert;
  return {
    name: change === 'opened' ? `alert ${problem} opened` : `alert ${problem}`,
    startMs: Date.parse(openedAt),
    endMs: Date.parse(closedAt ?? openedAt),
    attributes: {
      'sidescope.alert.id': id,
      'sidescope.alert.problem': problem,
      'sidescope.alert.severity': severity,
      'sidescope.alert.title': title,
      'sidescope.alert.reports': reports,
      'sidescope.target': targetId,
      ...(key !== '' && { 'sidescope.alert.key': key }),
      ...(service !== null && { 'sidescope.service': service.name }),
      ...(traceId !== null && { 'sidescope.trace_id': traceId }),
    },
  };
}

function tracesUrl(endpoint: URL): string {
  const url = new URL(endpoint);
  if (!url.pathname.endsWith('/v1/traces')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url.href;
}

function resourceOf(environment: Readonly<Record<string, string>>): Record<string, string> {
  const names = {
    pod: 'k8s.pod.name',
    namespace: 'k8s.namespace.name',
    node: 'k8s.node.name',
    container: 'k8s.container.name',
  };
  const pod = Object.entries(names).flatMap(([key, name]) => {
    const value = environment[key];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { 'service.name': 'sidescope', 'service.version': version, ...Object.fromEntries(pod) };
}
