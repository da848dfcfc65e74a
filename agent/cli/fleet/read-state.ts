import { isSidescopeError } from '../../../protocol/error.ts';
import { alertListSchema } from '../../../protocol/rest/alerts.ts';
import type { Alert } from '../../../protocol/rest/alerts.ts';
import { targetListSchema } from '../../../protocol/rest/lists.ts';
import { stallListSchema } from '../../../protocol/rest/stalls.ts';
import type { Stall } from '../../../protocol/rest/stalls.ts';
import type { Target } from '../../../protocol/rest/target.ts';
import type { FleetPod } from './kubernetes-objects.ts';
import { PodAgent } from './pod-agent.ts';
import type { FleetAccess } from './selection.ts';

/** What the agent of a pod knows now. */
export interface AgentState {
  readonly targets: readonly Target[];
  /** Open episodes, newest first; and the newest of all. */
  readonly openAlerts: readonly Alert[];
  readonly lastAlert: Alert | null;
  /** Those that go on now. */
  readonly stalls: readonly Stall[];
}

/** A pod, and what its agent said, or why there is nothing. */
export type PodState =
  | { readonly pod: FleetPod; readonly agent: AgentState; readonly problem: null }
  | { readonly pod: FleetPod; readonly agent: null; readonly problem: string };

/** Never rejects but with the signal's reason: a pod that cannot be asked is a row with its reason. */
export async function readState(
  pod: FleetPod,
  { access, signal }: { access: FleetAccess; signal: AbortSignal },
): Promise<PodState> {
  if (pod.sidecar.state !== 'running') return { pod, agent: null, problem: pod.sidecar.reason };
  try {
    await using agent = await PodAgent.open(pod.name, { access, signal });
    return { pod, agent: await askState(agent, signal), problem: null };
  } catch (error) {
    signal.throwIfAborted();
    return { pod, agent: null, problem: reasonOf(error, pod.name) };
  }
}

async function askState(agent: PodAgent, signal: AbortSignal): Promise<AgentState> {
  const alerts = (query: string): Promise<readonly Alert[]> =>
    agent.ask({ path: `/alerts?evidence=false&${query}`, schema: alertListSchema, signal }).then((list) => list.alerts);
  const [{ targets }, openAlerts, [lastAlert = null], { stalls }] = await Promise.all([
    agent.ask({ path: '/targets', schema: targetListSchema, signal }),
    alerts('state=open&limit=50'),
    alerts('limit=1'),
    agent.ask({ path: '/stalls?limit=20', schema: stallListSchema, signal }),
  ]);
  return { targets, openAlerts, lastAlert, stalls: stalls.filter(({ state }) => state === 'ongoing') };
}

/** One line, without the pod's name, which stands in the row already. */
export function reasonOf(error: unknown, pod: string): string {
  if (!isSidescopeError(error)) throw error;
  const [line = ''] = error.message.split('\n');
  return line.replaceAll(new RegExp(`^(kubectl \\S+ )?pod/${pod}\\b:?`, 'g'), '$1').trim();
}
