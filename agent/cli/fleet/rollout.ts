import { SidescopeError } from '../../../protocol/error.ts';
import type { Kubectl } from '../kubectl.ts';
import { readPods, readReplicaSets, readWorkload } from './kubernetes-objects.ts';
import type { FleetPod, ReplicaSet } from './kubernetes-objects.ts';
import { LIST_BYTES_MAX } from './selection.ts';

export interface Side {
  readonly set: ReplicaSet;
  /** Those that can be captured. */
  readonly pods: readonly FleetPod[];
}

export interface Rollout {
  readonly old: Side;
  readonly now: Side;
}

/**
 * The ReplicaSets of a Deployment that have pods: the newest revision, and the newest of those before it. Rejects with `kubectl-failed`, and with
 * `nothing-to-compare` when only one has pods that can be captured.
 */
export async function findRollout(
  workload: string,
  { kubectl, container, signal }: { kubectl: Kubectl; container: string; signal: AbortSignal },
): Promise<Rollout> {
  const get = async (what: string, ...args: string[]): Promise<string> =>
    kubectl.run(['get', what, ...args, '--output=json'], {
      doing: `kubectl get ${what}`,
      signal,
      maxOutputBytes: LIST_BYTES_MAX,
    });
  const deployment = readWorkload(await get(workload), `kubectl get ${workload}`);
  const selector = `--selector=${deployment.selector}`;
  const [setsJson, podsJson] = await Promise.all([get('replicasets', selector), get('pods', selector)]);
  const pods = readPods(podsJson, { doing: 'kubectl get pods', container });
  const sets = readReplicaSets(setsJson, 'kubectl get replicasets')
    .filter(({ ownerUid }) => ownerUid === deployment.uid)
    .toSorted((a, b) => b.revision - a.revision)
    .map((set): Side & { readonly all: readonly FleetPod[] } => {
      const all = pods.filter(({ ownerUid }) => ownerUid === set.uid);
      return {
        set,
        all,
        pods: all.filter(({ sidecar, phase }) => sidecar.state === 'running' && phase !== 'Terminating'),
      };
    });
  const [now, ...earlier] = sets;
  if (now === undefined) throw nothing(`${workload} has no ReplicaSet`);
  const old = earlier.find((side) => side.all.length > 0);
  if (old === undefined) {
    throw nothing(
      `${workload} has pods of one version only: revision ${now.set.revision}, ${countText(now.all.length)} (${now.set.version})`,
    );
  }
  for (const [name, side] of [
    ['new', now],
    ['old', old],
  ] as const)
    if (side.pods.length === 0) throw nothing(`${workload}: the ${name} version has ${emptyText(side)}`);
  return { old, now };
}

function emptyText({ set, all }: Side & { readonly all: readonly FleetPod[] }): string {
  const revision = `revision ${set.revision} (${set.version})`;
  if (all.length === 0) return `no pods: ${revision}`;
  const reasons = new Set(all.map(({ sidecar, phase }) => (sidecar.state === 'running' ? phase : sidecar.reason)));
  return `no pod that can be asked: ${revision}, ${countText(all.length)}: ${[...reasons].join('; ')}`;
}

function countText(count: number): string {
  return count === 1 ? '1 pod' : `${count} pods`;
}

function nothing(message: string): SidescopeError {
  return new SidescopeError('nothing-to-compare', `${message}. Run this while the rollout goes on.`);
}
