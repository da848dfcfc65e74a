import type { ZodType } from 'zod';
import { isSidescopeError } from '../../../protocol/error.ts';
import { parseCpuProfileBytes } from '../../../protocol/cpu-profile/parse.ts';
import { cpuSampleTree } from '../../../protocol/cpu-profile/sample-tree.ts';
import type { SampleTree } from '../../../protocol/cpu-profile/sample-tree.ts';
import { routeListSchema } from '../../../protocol/rest/timelines.ts';
import type { RouteList } from '../../../protocol/rest/timelines.ts';
import { memoryStatsSchema } from '../../../protocol/rest/vitals.ts';
import type { MemoryStats } from '../../../protocol/rest/vitals.ts';
import { captureTarget, captureTargets } from './capture-target.ts';
import type { FleetPod } from './kubernetes-objects.ts';
import type { PodAgent } from './pod-agent.ts';
import { reasonOf } from './read-state.ts';

/** One pod of one version over the time of the comparison. */
export interface PodSample {
  readonly pod: FleetPod;
  readonly tree: SampleTree;
  /** Null where the agent gave none, and why. */
  readonly routes: RouteList | null;
  readonly memory: MemoryStats | null;
  readonly problems: readonly string[];
  readonly uptimeMs: number | null;
}

/** A CPU profile of the pod's first target, and what its agent knows of latency and memory at the end of it. */
export async function samplePod(
  agent: PodAgent,
  { pod, durationMs, signal }: { pod: FleetPod; durationMs: number; signal: AbortSignal },
): Promise<PodSample> {
  const [target] = await captureTargets(agent, signal);
  const id = target?.id ?? '';
  // Routes are kept in steps of five minutes: that of now is asked for.
  const since = encodeURIComponent(new Date().toISOString());
  const download = 'format=cpuprofile&source=original';
  const { bytes } = await captureTarget(agent, { kind: 'cpu', durationMs, download, target: id, signal });
  const problems: string[] = [];
  const ask = async <T>(path: string, schema: ZodType<T>): Promise<T | null> => {
    try {
      return await agent.ask({ path, schema, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (!isSidescopeError(error)) throw error;
      problems.push(reasonOf(error, pod.name));
      return null;
    }
  };
  const [routes, memory] = await Promise.all([
    ask(`/routes?since=${since}&limit=500`, routeListSchema),
    ask(`/memory/stats?target=${encodeURIComponent(id)}`, memoryStatsSchema),
  ]);
  const startedAt = target?.identity?.startedAt;
  const uptimeMs = startedAt === undefined ? null : Date.now() - Date.parse(startedAt);
  return { pod, tree: cpuSampleTree(parseCpuProfileBytes(bytes)), routes, memory, problems, uptimeMs };
}
