import { integerOf } from '../../protocol/otlp/attributes.ts';
import { isEntry } from '../../protocol/otlp/entry.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import type { AddedAttributes } from '../../protocol/otlp/splice.ts';
import type { SpanReading } from '../../protocol/inspector/span-reading.ts';
import type { CaptureWatch, ProfiledThread } from '../capture/span-reading.ts';
import type { SpanSink } from './span-sink.ts';

/** Spans come when they have ended, and their sender keeps them for some seconds. */
const lingerMs = 120_000;
const capturesMax = 16;
/** Traces that were seen on the CPU, of one capture: 100 B each. */
const tracesMax = 20_000;

interface Context extends ProfiledThread {
  endedAtMs: number;
  readonly traces: Set<string>;
}

/**
 * What entry spans are told of the CPU profile that was taken while they were open. The same goes upstream and into the timelines. Nothing is looked at
 * while there was no capture for two minutes: `onChange` then says so.
 */
export class ProfilingContext implements CaptureWatch, Disposable {
  /** Of readings, by what they found. */
  readonly counts = { span: 0, none: 0, idle: 0, unknown: 0, 'no-api': 0, dropped: 0 };
  readonly #contexts: Context[] = [];
  readonly #isOnlyTarget: () => boolean;
  readonly #onChange: (isActive: boolean) => void;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    isOnlyTarget: () => boolean;
    onChange: (isActive: boolean) => void;
    now?: (() => number) | undefined;
  }) {
    this.#isOnlyTarget = options.isOnlyTarget;
    this.#onChange = options.onChange;
    this.#now = options.now ?? Date.now;
  }

  began(thread: ProfiledThread): ReturnType<CaptureWatch['began']> {
    const context: Context = { ...thread, endedAtMs: Infinity, traces: new Set<string>() };
    this.#contexts.unshift(context);
    this.#contexts.splice(capturesMax);
    this.#onChange(true);
    return {
      reading: ({ what }: SpanReading, isKept: boolean) => {
        this.counts[isKept ? (typeof what === 'string' ? what : 'span') : 'dropped'] += 1;
        if (typeof what !== 'string' && context.traces.size < tracesMax) context.traces.add(what.traceId);
      },
      ended: () => {
        context.endedAtMs = this.#now();
        this.#forgetLater();
      },
    };
  }

  /** Undefined for all but entries into a profiled process that were open while it was profiled. */
  attributesOf = (span: Span): AddedAttributes | undefined => {
    if (this.#contexts.length === 0 || isEntry(span) !== true) return undefined;
    const context = this.#contextOf(span);
    if (context === undefined) return undefined;
    return {
      'sidescope.profile.id': context.profileId,
      'sidescope.operation.id': context.operationId,
      // A reading found it on the CPU, so the profile has samples of it.
      ...(context.traces.has(span.traceId) && { 'pyroscope.profile.id': span.spanId }),
    };
  };

  /** Hands spans on with these attributes, so that timelines show them. */
  into(sink: SpanSink): SpanSink {
    return {
      add: (spans, batch) => {
        sink.add(this.#contexts.length === 0 ? spans : spans.map((span) => this.#withAttributes(span)), batch);
      },
    };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#contexts.length = 0;
  }

  #withAttributes(span: Span): Span {
    const added = this.attributesOf(span);
    // What the application said stays.
    return added === undefined ? span : { ...span, attributes: { ...added, ...span.attributes } };
  }

  /** The one that saw it on the CPU, else the latest: one capture can be of several threads. */
  #contextOf({ traceId, startMs, durationMs, resource }: Span): Context | undefined {
    const pid = integerOf(resource.attributes, 'process.pid');
    const overlapping = this.#contexts.filter(
      (context) =>
        context.startedAtMs < startMs + durationMs &&
        context.endedAtMs > startMs &&
        (pid === undefined ? this.#isOnlyTarget() : pid === context.pid),
    );
    return overlapping.find(({ traces }) => traces.has(traceId)) ?? overlapping[0];
  }

  #forgetLater(): void {
    clearTimeout(this.#timer);
    const oldestMs = Math.min(...this.#contexts.map(({ endedAtMs }) => endedAtMs));
    if (oldestMs === Infinity) return;
    const forget = (): void => {
      const untilMs = this.#now() - lingerMs;
      this.#contexts.splice(0, this.#contexts.length, ...this.#contexts.filter(({ endedAtMs }) => endedAtMs > untilMs));
      if (this.#contexts.length === 0) this.#onChange(false);
      else this.#forgetLater();
    };
    this.#timer = setTimeout(forget, Math.max(0, oldestMs + lingerMs - this.#now()) + 1).unref();
  }
}
