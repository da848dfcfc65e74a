import type { Command } from '../../../agent/cli/command.ts';
import { startCluster } from '../cluster/api-server.ts';
import type { Cluster, KubeObject } from '../cluster/api-server.ts';
import { startStandInAgent } from './stand-in-agent.ts';
import type { AgentFacts, StandInAgent } from './stand-in-agent.ts';

export interface PodFacts extends AgentFacts {
  readonly hash?: string;
  readonly tag?: string;
  /** `absent`: the pod was never given one. */
  readonly sidecar?: 'running' | 'waiting' | 'absent';
  readonly labels?: Readonly<Record<string, string>>;
  readonly isTerminating?: boolean;
  /** What `sidescope token` in it ends with. */
  readonly execFails?: string;
}

export interface Fleet extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly agents: ReadonlyMap<string, StandInAgent>;
  /** As a person runs it; the kubectl of this cluster. */
  run(
    command: Command,
    args: readonly string[],
    signal?: AbortSignal,
  ): Promise<{ code: number; printed: string; said: string }>;
}

/** Pods by name, each with a stand-in for its agent, behind a stand-in for the API server. */
export async function startFleet(
  pods: Readonly<Record<string, PodFacts>>,
  others: readonly KubeObject[] = [],
): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  const agents = new Map<string, StandInAgent>();
  cluster.objects.push(...others);
  for (const [name, facts] of Object.entries(pods)) {
    const agent = stack.use(await startStandInAgent(facts));
    agents.set(name, agent);
    cluster.objects.push(podObject(name, facts));
    cluster.behaviours.set(name, {
      port: () => agent.port,
      exec: () =>
        Promise.resolve(
          facts.execFails === undefined
            ? { stdout: JSON.stringify(agent.minted()), code: 0 }
            : { stdout: '', stderr: facts.execFails, code: 1 },
        ),
    });
  }
  const resources = stack.move();
  return {
    cluster,
    agents,
    async run(command, args, signal = new AbortController().signal) {
      const output = { printed: '', said: '' };
      const code = await command({
        argv: [...args, '--kubectl', cluster.kubectl],
        environment: {},
        platform: 'linux',
        signal,
        print: (text) => (output.printed += text),
        say: (text) => (output.said += text),
      });
      return { code, ...output };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function podObject(
  name: string,
  { hash = 'aaa111', tag = '1.0.0', sidecar = 'running', labels, isTerminating }: PodFacts,
): KubeObject {
  const agent = sidecar === 'absent' ? [] : [{ name: 'sidescope', image: 'sidescope:0.1.0' }];
  const state =
    sidecar === 'running'
      ? { running: { startedAt: '2026-01-01T00:00:00Z' } }
      : { waiting: { reason: 'ImagePullBackOff' } };
  return {
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(isTerminating && { deletionTimestamp: '2026-01-02T00:00:00Z' }),
      labels: { app: 'shop', 'pod-template-hash': hash, ...labels },
      ownerReferences: [{ uid: `uid-shop-${hash}`, controller: true, kind: 'ReplicaSet', name: `shop-${hash}` }],
    },
    spec: {
      nodeName: 'node-1',
      initContainers: agent,
      containers: [{ name: 'shop', image: `registry:5000/shop:${tag}` }],
    },
    status: { phase: 'Running', initContainerStatuses: agent.map((container) => ({ name: container.name, state })) },
  } as KubeObject;
}

/** A Deployment and its ReplicaSets, the oldest first. */
export function deploymentObjects(sets: readonly { hash: string; tag?: string; replicas: number }[]): KubeObject[] {
  const selector = { matchLabels: { app: 'shop' } };
  return [
    { kind: 'Deployment', metadata: { name: 'shop', uid: 'uid-shop' }, spec: { selector } } as KubeObject,
    ...sets.map(({ hash, tag = '1.0.0', replicas }, index): KubeObject => ({
      kind: 'ReplicaSet',
      metadata: {
        name: `shop-${hash}`,
        uid: `uid-shop-${hash}`,
        labels: { app: 'shop', 'pod-template-hash': hash },
        annotations: { 'deployment.kubernetes.io/revision': String(index + 1) },
        ownerReferences: [{ uid: 'uid-shop', controller: true }],
      } as KubeObject['metadata'],
      spec: {
        replicas,
        template: { metadata: {}, spec: { containers: [{ name: 'shop', image: `registry:5000/shop:${tag}` }] } },
      },
      status: { replicas },
    })),
  ];
}
