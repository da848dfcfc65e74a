import type { Resource, Span } from '../../protocol/otlp/model.ts';
import type { SamplerSetting } from '../../protocol/otlp/sampler.ts';
import { sampledShare } from '../../protocol/otlp/sampling.ts';
import type { RouteList } from '../../protocol/rest/timelines.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { targetOf } from './learn-services.ts';
import { RequestCounterWatch, type CounterMismatch, type ReadPages } from './request-counter-watch.ts';
import type { SpanSink } from './span-sink.ts';

export interface SamplingOptions {
  readonly targets: { list(): readonly Target[] };
  /** What the target's environment says. */
  readonly samplerOf: (target: Target) => SamplerSetting | undefined;
  /** A clock that nobody sets, in ms. */
  readonly elapsedMs?: () => number;
}

export interface SamplingState {
  /** Null: all that began came, as far as can be seen. */
  readonly note: RouteList['sampling'];
  /** How many requests a span stands for of which no share is known; null when that cannot be said. */
  readonly weightOfOthers: number | null;
}

const nothingKnown: SamplingOptions = { targets: { list: () => [] }, samplerOf: () => undefined };

/** Which share of its traces a sender keeps: by their `tracestate`, by the target's environment, and by the request counter of its metrics page. */
export class Sampling {
  readonly #options: SamplingOptions;
  readonly #counters: RequestCounterWatch;
  readonly #settings = new WeakMap<Resource, { readonly setting: SamplerSetting | undefined }>();
  #shareOfTraceState = 1;
  #shareOfSetting = 1;
  /** The first setting of which the share, or whom it holds for, is not known. */
  #vague: SamplerSetting | undefined;

  constructor(options: SamplingOptions = nothingKnown) {
    this.#options = options;
    const { targets, elapsedMs } = options;
    const weightOf = (span: Span): number => 1 / (this.#shareOf(span, span)?.share ?? 1);
    this.#counters = new RequestCounterWatch({ targets, weightOf, ...(elapsedMs !== undefined && { elapsedMs }) });
  }

  into(sink: SpanSink): SpanSink {
    return this.#counters.into(sink);
  }

  watch(pages: ReadPages): Disposable {
    return this.#counters.watch(pages);
  }

  /** How many spans one stands for; undefined when nothing says it. `entry`: of the request that it belongs to. */
  weightOf(span: Span, entry: Span): number | undefined {
    const known = this.#shareOf(span, entry);
    if (known === undefined) return undefined;
    if (known.by === 'tracestate') this.#shareOfTraceState = Math.min(this.#shareOfTraceState, known.share);
    else this.#shareOfSetting = Math.min(this.#shareOfSetting, known.share);
    return 1 / known.share;
  }

  state(): SamplingState {
    const causes = [
      ...shareCause(this.#shareOfTraceState, 'the sender keeps % of its traces, as its tracestate says'),
      ...shareCause(
        this.#shareOfSetting,
        'the target keeps % of the traces that begin in it, by its OTEL_TRACES_SAMPLER',
      ),
      ...(this.#vague === undefined ? [] : [{ share: null, reason: vagueReason(this.#vague) }]),
    ];
    const mismatches = this.#counters.mismatches();
    // The statistics do not tell targets apart: of several one cannot say whose spans are too few.
    const isOne = this.#options.targets.list().length === 1;
    const counted = mismatches.map((one) => ({
      share: isOne ? Math.min(1, one.spans / one.requests) : null,
      reason: mismatchReason(one),
    }));
    const all = [...causes, ...counted];
    if (all.length === 0) return { note: null, weightOfOthers: 1 };
    const shares = all.flatMap(({ share }) => share ?? []);
    const note = {
      keptShare: shares.length === 0 ? null : Math.min(...shares),
      reason: all.map(({ reason }) => reason).join('; '),
    };
    const [first] = counted;
    if (first !== undefined) return { note, weightOfOthers: first.share === null ? null : 1 / first.share };
    return { note, weightOfOthers: this.#vague === undefined ? 1 : null };
  }

  /** Why a program that is traced sends nothing; undefined when nothing says so. */
  silence(): string | undefined {
    const { targets, samplerOf } = this.#options;
    const off = targets
      .list()
      .map(samplerOf)
      .find((setting) => setting?.keptShare === 0);
    return off && `no spans come: the target's OTEL_TRACES_SAMPLER keeps none (${off.name})`;
  }

  #shareOf(span: Span, entry: Span): { share: number; by: 'tracestate' | 'setting' } | undefined {
    const said = sampledShare(span);
    if (said !== undefined) return said > 0 && said <= 1 ? { share: said, by: 'tracestate' } : undefined;
    const setting = this.#settingOf(span.resource);
    if (setting === undefined) return undefined;
    const { keptShare: share, isOfOwnTraces } = setting;
    // The program has overruled it, evidently.
    if (share === 0 && (!isOfOwnTraces || entry.parentSpanId === '')) return undefined;
    if (share === null || share === 0 || (isOfOwnTraces && entry.parentSpanId !== '')) {
      this.#vague ??= setting;
      return undefined;
    }
    return { share, by: 'setting' };
  }

  /** All spans of a received body share their resource. */
  #settingOf(resource: Resource): SamplerSetting | undefined {
    const known = this.#settings.get(resource);
    if (known !== undefined) return known.setting;
    const target = targetOf(resource, this.#options.targets.list());
    const setting = target && this.#options.samplerOf(target);
    this.#settings.set(resource, { setting });
    return setting;
  }
}

function shareCause(share: number, reason: string): { share: number; reason: string }[] {
  return share >= 1 ? [] : [{ share, reason: reason.replace('%', `${Math.round(share * 10_000) / 100} %`) }];
}

function vagueReason({ name, keptShare }: SamplerSetting): string {
  if (keptShare === null) return `the target's OTEL_TRACES_SAMPLER is ${name}: what it keeps is not known`;
  return `of traces that begin elsewhere the caller decides which are kept (the target's OTEL_TRACES_SAMPLER is ${name})`;
}

function mismatchReason({ counter, requests, spans, targetId }: CounterMismatch): string {
  const [served, came] = [Math.round(requests), Math.round(spans)];
  return `${counter} of ${targetId}'s metrics page counted ${served} requests in three windows, and the server spans of that time stand for ${came}: the rest was sampled away, or is not traced`;
}
