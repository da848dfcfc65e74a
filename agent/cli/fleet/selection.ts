import { SidescopeError } from '../../../protocol/error.ts';
import type { CommandOption } from '../command-line.ts';
import { agentInPodOptions, agentsInPods } from '../agent-in-pod.ts';
import type { AgentInPodValues, AgentsInPods } from '../agent-in-pod.ts';
import type { Kubectl } from '../kubectl.ts';
import { readPods, readWorkload } from './kubernetes-objects.ts';
import type { FleetPod } from './kubernetes-objects.ts';

/** What every command over many pods takes. */
export const fleetOptions = {
  selector: {
    type: 'string',
    short: 'l',
    syntax: 'LABELS',
    meaning: 'Labels of the pods, as kubectl takes them: `app=shop,tier!=batch`.',
  },
  ...agentInPodOptions,
  'token-file': {
    type: 'string',
    syntax: 'PATH',
    meaning:
      'A file with a token that every agent accepts, asked at port 7777; else `kubectl exec` makes one in each pod.',
  },
  'at-once': {
    type: 'string',
    syntax: 'N',
    default: '10',
    meaning: 'How many pods are asked at the same time, 1 to 100.',
  },
} as const satisfies Readonly<Record<string, CommandOption>>;

export interface FleetValues extends AgentInPodValues {
  readonly selector: string | undefined;
  readonly 'token-file': string | undefined;
  readonly 'at-once': string;
}

/** How the agents of a fleet are reached. */
export interface FleetAccess extends AgentsInPods {
  readonly tokenFile: string | undefined;
}

export function fleetAccess(values: FleetValues): FleetAccess {
  return { ...agentsInPods(values), tokenFile: values['token-file'] };
}

export function atOnce(values: FleetValues): number {
  const count = /^\d{1,3}$/.test(values['at-once']) ? Number(values['at-once']) : 0;
  if (count >= 1 && count <= 100) return count;
  throw new SidescopeError(
    'invalid-option',
    `--at-once ${JSON.stringify(values['at-once'])} is no count from 1 to 100`,
  );
}

export interface Selection {
  /** As it was asked for, to say what has no pods. */
  readonly text: string;
  readonly selector: string;
  /** `deployment/shop`; undefined when pods were asked for by their labels. */
  readonly workload: string | undefined;
}

/** `-l app=shop`, or one `deploy/shop`; nothing was asked yet. */
export function parseSelection(
  words: readonly string[],
  { selector, usage }: { selector: string | undefined; usage: string },
): Omit<Selection, 'selector'> & { readonly selector: string | undefined } {
  const wrong = (what: string): SidescopeError => new SidescopeError('invalid-option', `${what}\nUsage: ${usage}`);
  const [word, ...more] = words;
  if (more.length > 0) throw wrong(`one workload at a time, not ${JSON.stringify(words.join(' ').slice(0, 100))}`);
  if (word === undefined) {
    if (selector === undefined || selector === '') throw wrong('which pods? -l LABELS or KIND/NAME');
    if (selector.startsWith('-')) throw wrong(`-l ${JSON.stringify(selector)} are no labels`);
    return { text: `-l ${selector}`, selector, workload: undefined };
  }
  if (selector !== undefined) throw wrong(`either -l ${selector} or ${JSON.stringify(word.slice(0, 100))}`);
  const [, kind = '', name = ''] = /^([a-z]+)\/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/.exec(word) ?? [];
  const known = Object.hasOwn(workloadKinds, kind) ? workloadKinds[kind] : undefined;
  if (known === undefined) {
    throw wrong(`${JSON.stringify(word.slice(0, 100))} is no workload such as deploy/NAME; pods go by -l LABELS`);
  }
  return { text: word, selector: undefined, workload: `${known}/${name}` };
}

/** As kubectl abbreviates them. */
const workloadKinds: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['deploy', 'deployment', 'deployments'].map((kind) => [kind, 'deployment'])),
  ...Object.fromEntries(['sts', 'statefulset', 'statefulsets'].map((kind) => [kind, 'statefulset'])),
  ...Object.fromEntries(['ds', 'daemonset', 'daemonsets'].map((kind) => [kind, 'daemonset'])),
  ...Object.fromEntries(['rs', 'replicaset', 'replicasets'].map((kind) => [kind, 'replicaset'])),
  ...Object.fromEntries(['job', 'jobs'].map((kind) => [kind, 'job'])),
};

/** The pods, by name. Rejects with `kubectl-failed`, or with `no-pods`. */
export async function findPods(
  selection: ReturnType<typeof parseSelection>,
  { kubectl, container, signal }: Pick<FleetAccess, 'kubectl' | 'container'> & { signal: AbortSignal },
): Promise<readonly FleetPod[]> {
  const { text, workload } = selection;
  const selector = selection.selector ?? (await selectorOf(workload ?? '', { kubectl, signal }));
  const doing = `kubectl get pods of ${text}`;
  const printed = await kubectl.run(['get', 'pods', `--selector=${selector}`, '--output=json'], {
    doing,
    signal,
    maxOutputBytes: LIST_BYTES_MAX,
  });
  const pods = readPods(printed, { doing, container });
  if (pods.length === 0) throw new SidescopeError('no-pods', `there is no pod of ${text} in this namespace`);
  return pods.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** A pod has 5 to 20 kB. */
export const LIST_BYTES_MAX = 128 * 1024 * 1024;

async function selectorOf(
  workload: string,
  { kubectl, signal }: { kubectl: Kubectl; signal: AbortSignal },
): Promise<string> {
  const doing = `kubectl get ${workload}`;
  const printed = await kubectl.run(['get', workload, '--output=json'], {
    doing,
    signal,
    maxOutputBytes: LIST_BYTES_MAX,
  });
  return readWorkload(printed, doing).selector;
}
