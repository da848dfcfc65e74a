import { z } from 'zod';
import { SidescopeError } from '../../../protocol/error.ts';

/** Where a pod's agent is: only `running` can be asked. */
export type SidecarState =
  { readonly state: 'running' } | { readonly state: 'absent' | 'waiting' | 'ended'; readonly reason: string };

export interface FleetPod {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly node: string;
  readonly createdAtMs: number;
  /** What its image is tagged with, and the hash of its template where it has one: `1.4.2 7c9f8d6b5`. */
  readonly version: string;
  /** Of the workload that made it: its ReplicaSet's. */
  readonly ownerUid: string | undefined;
  /** `Running`, `Pending` …; `Terminating` when it was deleted. */
  readonly phase: string;
  readonly sidecar: SidecarState;
}

export interface ReplicaSet {
  readonly name: string;
  readonly uid: string;
  readonly revision: number;
  readonly ownerUid: string | undefined;
  readonly replicas: number;
  readonly version: string;
}

/** What `kubectl get pods -o json` printed. Throws `kubectl-failed` when it is something else. */
export function readPods(printed: string, { doing, container }: { doing: string; container: string }): FleetPod[] {
  return parse(podListSchema, printed, doing).items.map((pod) => ({
    name: pod.metadata.name,
    uid: pod.metadata.uid,
    namespace: pod.metadata.namespace,
    node: pod.spec.nodeName,
    createdAtMs: Date.parse(pod.metadata.creationTimestamp),
    version: versionOf(pod.metadata, pod.spec.containers),
    ownerUid: ownerOf(pod.metadata),
    phase: pod.metadata.deletionTimestamp === undefined ? pod.status.phase : 'Terminating',
    sidecar: sidecarOf(pod, container),
  }));
}

export function readReplicaSets(printed: string, doing: string): ReplicaSet[] {
  return parse(replicaSetListSchema, printed, doing).items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    uid: metadata.uid,
    revision: Number(metadata.annotations['deployment.kubernetes.io/revision'] ?? '0'),
    ownerUid: ownerOf(metadata),
    replicas: status.replicas,
    version: versionOf({ ...metadata, annotations: spec.template.metadata.annotations }, spec.template.spec.containers),
  }));
}

/** A workload of any kind, by what its pods are selected with. */
export function readWorkload(printed: string, doing: string): { uid: string; name: string; selector: string } {
  const { metadata, spec } = parse(workloadSchema, printed, doing);
  const { matchLabels, matchExpressions } = spec.selector;
  const parts = [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(({ key, operator, values }) => {
      if (operator === 'Exists') return key;
      if (operator === 'DoesNotExist') return `!${key}`;
      return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
    }),
  ];
  return { uid: metadata.uid, name: metadata.name, selector: parts.join(',') };
}

type Metadata = z.infer<typeof metadataSchema>;
type PodObject = z.infer<typeof podSchema>;

/** A native sidecar is an init container, one of an older manifest a container, that of `kubectl debug` an ephemeral one. */
function sidecarOf({ spec, status }: PodObject, container: string): SidecarState {
  const declared = [...spec.initContainers, ...spec.containers, ...spec.ephemeralContainers];
  if (!declared.some(({ name }) => name === container)) return { state: 'absent', reason: 'no sidecar' };
  const statuses = [...status.initContainerStatuses, ...status.containerStatuses, ...status.ephemeralContainerStatuses];
  const { running, waiting, terminated } = statuses.find(({ name }) => name === container)?.state ?? {};
  if (running !== undefined) return { state: 'running' };
  if (terminated !== undefined) return { state: 'ended', reason: `ended: ${terminated.reason ?? 'unknown'}` };
  return { state: 'waiting', reason: `waits: ${waiting?.reason ?? status.phase}` };
}

function versionOf(
  { labels, annotations }: Pick<Metadata, 'labels' | 'annotations'>,
  containers: readonly { name: string; image: string }[],
): string {
  const named = annotations['kubectl.kubernetes.io/default-container'];
  const application =
    containers.find(({ name }) => name === named) ??
    containers.find(({ name }) => name !== 'sidescope') ??
    containers[0];
  const image = application?.image ?? '';
  // Behind the last slash: a registry may have a port.
  const [, tag = ''] = /:([^:@/]+)(?:@[^/]*)?$/.exec(image) ?? [];
  const hash = labels['pod-template-hash'] ?? labels['controller-revision-hash'];
  return [labels['app.kubernetes.io/version'] ?? tag, hash]
    .filter((text) => text !== undefined && text !== '')
    .join(' ');
}

function ownerOf({ ownerReferences }: Pick<Metadata, 'ownerReferences'>): string | undefined {
  return ownerReferences.find(({ controller }) => controller)?.uid;
}

function parse<T>(schema: z.ZodType<T>, printed: string, doing: string): T {
  try {
    return schema.parse(JSON.parse(printed));
  } catch (error) {
    const what = error instanceof z.ZodError ? z.prettifyError(error).split('\n')[0] : 'it is no JSON';
    throw new SidescopeError('kubectl-failed', `${doing}: what it printed cannot be read: ${what}`, { cause: error });
  }
}

const texts = z.record(z.string(), z.string()).default({});
const metadataSchema = z.object({
  name: z.string(),
  namespace: z.string().default(''),
  uid: z.string(),
  creationTimestamp: z.string().default('1970-01-01T00:00:00Z'),
  deletionTimestamp: z.string().optional(),
  labels: texts,
  annotations: texts,
  ownerReferences: z.array(z.object({ uid: z.string(), controller: z.boolean().default(false) })).default([]),
});

const containers = z.array(z.object({ name: z.string(), image: z.string().default('') })).default([]);
const reasonSchema = z.object({ reason: z.string().optional() }).optional();
const statuses = z
  .array(
    z.object({
      name: z.string(),
      state: z
        .object({ running: z.object({}).optional(), waiting: reasonSchema, terminated: reasonSchema })
        .default({}),
    }),
  )
  .default([]);

/** What is read of a Pod; everything else is dropped. */
const podSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    nodeName: z.string().default(''),
    initContainers: containers,
    containers,
    ephemeralContainers: containers,
  }),
  status: z.object({
    phase: z.string().default('Unknown'),
    initContainerStatuses: statuses,
    containerStatuses: statuses,
    ephemeralContainerStatuses: statuses,
  }),
});
const podListSchema = z.object({ items: z.array(podSchema) });

const replicaSetListSchema = z.object({
  items: z.array(
    z.object({
      metadata: metadataSchema,
      spec: z.object({
        template: z.object({ metadata: z.object({ annotations: texts }).prefault({}), spec: z.object({ containers }) }),
      }),
      status: z.object({ replicas: z.int().default(0) }),
    }),
  ),
});

const workloadSchema = z.object({
  metadata: z.object({ name: z.string(), uid: z.string() }),
  spec: z.object({
    selector: z.object({
      matchLabels: texts,
      matchExpressions: z
        .array(
          z.object({
            key: z.string(),
            operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
            values: z.array(z.string()).default([]),
          }),
        )
        .default([]),
    }),
  }),
});
