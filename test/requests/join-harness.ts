import { joinInput } from '../../agent/capture/join-profile.ts';
import { ProfileJoins } from '../../agent/requests/join.ts';
import { TraceStore } from '../../agent/requests/trace-store.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import { attributeSamples, ownerOf, type Attribution } from '../../protocol/cpu-profile/attribution.ts';
import { sampleDurationUs, type CpuProfile } from '../../protocol/cpu-profile/model.ts';
import { parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import type { JoinInput } from '../../protocol/cpu-profile/spans.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { openHarness, type Harness } from '../capture/harness.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openOtlp } from './otlp-harness.ts';

export interface Work {
  readonly requests: number;
  readonly concurrency: number;
  readonly burstMs: number;
  readonly bursts: number;
  readonly waitMs: number;
}

/** From and to on the profile's clock in microseconds, and the trace that the target's own AsyncLocalStorage had. */
type Truth = readonly (readonly [number, number, string])[];

export interface ProfiledWork extends AsyncDisposable {
  readonly profile: Profile;
  readonly samples: CpuProfile;
  readonly input: JoinInput;
  readonly attribution: Attribution;
  readonly truth: Truth;
  readonly harness: Harness;
  readonly joins: ProfileJoins;
  readonly traces: TraceStore;
}

/** Profiles real requests of `works-in-requests` to their end, with their spans received. */
export async function profileWork(
  work: Work,
  { node, rateHz }: { node: number; rateHz: number },
): Promise<ProfiledWork> {
  await using stack = new AsyncDisposableStack();
  const otlp = stack.use(await openOtlp());
  const target = stack.use(await startTarget('works-in-requests', { node, args: [otlp.url] }));
  const harness = stack.use(await openHarness([target.inspectorAddress], { spanReading: { rateHz } }));
  const traces = stack.use(new TraceStore());
  const log = createLog({ level: 'silent' });
  const { store, targets } = harness;
  const joins = stack.use(new ProfileJoins({ store, traces, targets, log, worker: harness.worker, spansComeMs: 500 }));
  const { id } = await harness.captures.startCpu({ startedBy: 'tester', durationMs: 60_000 });
  await waitFor(() => harness.captures.get(id).progress.phase === 'sampling', { message: 'sampling' });
  await target.send(work);
  const [, text = ''] = await target.waitForOutput(/^truth (.*)$/m, 40_000);
  await harness.captures.stopCpu({});
  const { profileIds } = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  const profile = store.get(profileIds[0] ?? '');
  await otlp.requests.ingested();
  traces.add(otlp.sink.spans, { receivedAtMs: Date.now(), bytes: 0 });
  traces.settle();
  const samples = parseCpuProfileBytes(Buffer.from(await harness.read(profile.id), 'latin1'));
  const input = joinInput(await joins.queryOf(profile));
  const owned = stack.move();
  return {
    profile,
    samples,
    input,
    attribution: attributeSamples(samples, input),
    truth: JSON.parse(text) as Truth,
    harness,
    joins,
    traces,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export interface Score {
  readonly activeUs: number;
  readonly sureUs: number;
  /** Of the sure ones, those that are right. */
  readonly rightUs: number;
}

/** What was attributed with a confidence of `from` up to `to`, against the truth. Samples in no burst are work around them, whose truth is not known. */
export function scoreOf({ samples, attribution, truth }: ProfiledWork, from: number, to = Infinity): Score {
  let [activeUs, sureUs, rightUs] = [0, 0, 0];
  let next = 0;
  attribution.owners.forEach((owner, sample) => {
    const atUs = samples.startTimeUs + samples.sampleTimesUs[sample]!;
    while (next < truth.length && truth[next]![1] < atUs) next += 1;
    const [startUs = Infinity, , traceId] = truth[next] ?? [];
    if (startUs > atUs) return;
    const us = sampleDurationUs(samples, sample);
    activeUs += us;
    const confidence = attribution.confidences[sample]!;
    if (owner < ownerOf.outside || confidence < from || confidence >= to) return;
    sureUs += us;
    if (attribution.requests[owner]?.traceId === traceId) rightUs += us;
  });
  return { activeUs, sureUs, rightUs };
}
