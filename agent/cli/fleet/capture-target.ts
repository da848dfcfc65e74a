import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { SidescopeError } from '../../../protocol/error.ts';
import { targetListSchema } from '../../../protocol/rest/lists.ts';
import { isEndedState, operationSchema } from '../../../protocol/rest/operation.ts';
import type { Operation } from '../../../protocol/rest/operation.ts';
import type { Target } from '../../../protocol/rest/target.ts';
import type { PodAgent } from './pod-agent.ts';

export interface CaptureRequest {
  readonly kind: 'cpu' | 'heap-sampling';
  readonly durationMs: number;
  /** Of the download: `format=pprof`. */
  readonly download: string;
}

export interface Captured {
  /** Not compressed. */
  readonly bytes: Buffer;
  readonly operation: Operation;
}

const longestPollMs = 500;
/** Over the duration: a queue in the agent, the end of the sampling, the writing of the file. */
const graceMs = 60_000;
const cancelDeadlineMs = 5_000;

/** The targets that can be captured now; rejects with `agent-refused` when there is none. */
export async function captureTargets(agent: PodAgent, signal: AbortSignal): Promise<readonly Target[]> {
  const { targets } = await agent.ask({ path: '/targets', schema: targetListSchema, signal });
  const ready = targets.filter(({ state: { state } }) => state === 'attached' || state === 'standby');
  if (ready.length > 0) return ready;
  const states = targets.map(({ state: { state } }) => state).join(', ');
  throw new SidescopeError(
    'agent-refused',
    `pod/${agent.pod}: its target is not attached (${states || 'there is none'})`,
  );
}

/** Starts a capture, waits for its end and fetches it. On every way out that is not its end the agent is told to cancel it. */
export async function captureTarget(
  agent: PodAgent,
  { kind, durationMs, download, target, signal }: CaptureRequest & { target: string; signal: AbortSignal },
): Promise<Captured> {
  const start = kind === 'cpu' ? '/cpu/start' : '/heap/sampling/start';
  const query = `duration=${durationMs}&target=${encodeURIComponent(target)}`;
  let operation = await agent.ask({ path: `${start}?${query}`, method: 'POST', schema: operationSchema, signal });
  const path = `/operations/${operation.id}`;
  try {
    const endMs = performance.now() + durationMs + graceMs;
    while (!isEndedState(operation.state)) {
      if (performance.now() > endMs) {
        throw new SidescopeError(
          'agent-refused',
          `pod/${agent.pod}: not ended ${graceMs / 1_000} s after its time (${operation.progress.phase})`,
        );
      }
      await delay(Math.min(longestPollMs, durationMs / 10), undefined, { signal });
      operation = await agent.ask({ path, schema: operationSchema, signal });
    }
  } catch (error) {
    await cancel(agent, path);
    throw error;
  }
  const [profileId] = operation.profileIds;
  if (profileId === undefined) {
    const said = operation.error === null ? operation.state : `${operation.error.code}: ${operation.error.message}`;
    throw new SidescopeError('agent-refused', `pod/${agent.pod}: ${said}`);
  }
  const file = await agent.download(`/profiles/${profileId}/download?${download}`, signal);
  return { operation, bytes: file[0] === 0x1f && file[1] === 0x8b ? gunzipSync(file) : file };
}

async function cancel(agent: PodAgent, path: string): Promise<void> {
  const signal = AbortSignal.timeout(cancelDeadlineMs);
  // It may have ended, or the pod is gone; without this the capture ends by itself after its duration.
  await agent.ask({ path, method: 'DELETE', schema: operationSchema, signal }).catch(() => undefined);
}
