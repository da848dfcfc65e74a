import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { isEndedState, type Operation } from '../../protocol/rest/operation.ts';
import type { Captures } from '../capture/captures.ts';
import type { FlightRecorder } from '../capture/recorder.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Rule, RuleCapture } from './rule.ts';

export interface RuleCaptureOptions {
  readonly captures: Pick<Captures, 'startCpu' | 'startHeapSampling' | 'startHeapSnapshot' | 'readStacks' | 'waitFor'>;
  readonly recorder: Pick<FlightRecorder, 'keep' | 'recording' | 'run'>;
  readonly store: Pick<ProfileStore, 'patch' | 'get'> | undefined;
  readonly signal: AbortSignal;
}

export interface TakenCapture {
  readonly operationId: string | null;
  readonly profileIds: readonly string[];
  /** For the alert. */
  readonly stacks: string | null;
}

/** Beside the capture's own time: its place in the queue, and saving. */
const patienceMs = 3_600_000;

/**
 * Does what a rule captures, through the same doors as people: the limiter, the admission of snapshots, the budget. Resolves when it is stored. Rejects with their
 * refusals, `capture-interrupted` when nothing came of it.
 */
export async function takeCapture(
  rule: Pick<Rule, 'name'> & { capture: RuleCapture },
  targetId: string,
  options: RuleCaptureOptions & { onStarted: (operationId: string) => void },
): Promise<TakenCapture> {
  const { captures, recorder, signal } = options;
  const { capture, name } = rule;
  const trigger = { kind: 'rule', by: name } as const;
  const request = { targetId, startedBy: `rule ${name}`, trigger };
  switch (capture.kind) {
    case 'stacks': {
      const stacks = await captures.readStacks({ targetId });
      return { operationId: null, profileIds: [], stacks: JSON.stringify(stacks, null, 1).slice(0, 50_000) };
    }
    case 'recorder': {
      // What is over is kept at once, and another run that begins meanwhile is not meant. The only rejection is our own stop.
      const afterMs = recorder.recording(targetId) === undefined ? 0 : capture.afterMs;
      const instanceId = recorder.run(targetId);
      await delay(afterMs, undefined, { signal, ref: false }).catch(() => undefined);
      const beforeMs = capture.beforeMs + afterMs;
      const profile = await recorder.keep({ targetId, beforeMs, instanceId, trigger });
      if (profile === undefined)
        throw new SidescopeError(
          'capture-interrupted',
          `the flight recorder has no window of the last ${beforeMs / 1000} s: is --flight-recorder set? GET /recorder says why`,
        );
      return { operationId: null, profileIds: [profile.id], stacks: null };
    }
    case 'cpu': {
      const { durationMs, intervalUs, thread } = capture;
      return ended(await captures.startCpu({ ...request, durationMs, intervalUs, thread }), options);
    }
    case 'heap-sampling': {
      const { durationMs, mode, intervalBytes } = capture;
      return ended(await captures.startHeapSampling({ ...request, durationMs, mode, intervalBytes }), options);
    }
    case 'heap-snapshot':
      signal.throwIfAborted();
      return ended(await captures.startHeapSnapshot(request), options);
  }
}

/** Pins and labels what a rule captured; what cannot be marked is kept all the same. */
export function markProfiles(rule: Rule, profileIds: readonly string[], store: RuleCaptureOptions['store']): void {
  const { isPinned, labels } = rule.keep;
  for (const id of profileIds) {
    try {
      const before = store?.get(id).labels ?? {};
      store?.patch(id, { labels: { ...before, ...labels, rule: rule.name }, ...(isPinned && { pinned: true }) });
    } catch (error) {
      // Gone meanwhile, or a full disk: the capture itself is no worse.
      if (!isSidescopeError(error)) throw error;
    }
  }
}

async function ended(
  started: Operation,
  { captures, signal, onStarted }: RuleCaptureOptions & { onStarted: (operationId: string) => void },
): Promise<TakenCapture> {
  onStarted(started.id);
  const durationMs = started.parameters.durationMs ?? 0;
  const operation = await captures.waitFor(started.id, { timeoutMs: durationMs + patienceMs, signal });
  if (!isEndedState(operation.state))
    throw new SidescopeError('capture-interrupted', `operation ${operation.id} is still ${operation.state}`);
  if (operation.profileIds.length === 0)
    throw new SidescopeError('capture-interrupted', operation.error?.message ?? `it ${operation.state}`);
  return { operationId: operation.id, profileIds: operation.profileIds, stacks: null };
}
