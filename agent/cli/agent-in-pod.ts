import { Kubectl } from './kubectl.ts';
import { kubernetesName } from './operands.ts';
import type { CommandOption } from './command-line.ts';

/** What every command takes that asks agents in pods. */
export const agentInPodOptions = {
  namespace: {
    type: 'string',
    short: 'n',
    syntax: 'NAME',
    meaning: 'The namespace of the pods; else that of the context.',
  },
  context: { type: 'string', syntax: 'NAME', meaning: 'The context of kubectl; else the current one.' },
  container: { type: 'string', short: 'c', syntax: 'NAME', default: 'sidescope', meaning: "The agent's container." },
  kubectl: { type: 'string', syntax: 'PATH', default: 'kubectl', meaning: 'The kubectl to run.' },
  exec: {
    type: 'string',
    syntax: 'COMMAND',
    default: 'sidescope',
    meaning: 'How the agent is called in its container; words are separated by spaces.',
  },
} as const satisfies Readonly<Record<string, CommandOption>>;

export interface AgentInPodValues {
  readonly namespace: string | undefined;
  readonly context: string | undefined;
  readonly container: string;
  readonly kubectl: string;
  readonly exec: string;
}

export interface AgentsInPods {
  readonly kubectl: Kubectl;
  readonly container: string;
  /** The words that call `sidescope` there. */
  readonly exec: readonly string[];
}

/** Throws `invalid-option`; nothing is run yet. */
export function agentsInPods({ kubectl, context, namespace, container, exec }: AgentInPodValues): AgentsInPods {
  return {
    kubectl: new Kubectl({ path: kubectl, context, namespace: kubernetesName(namespace, '-n') }),
    container: kubernetesName(container, '-c') ?? 'sidescope',
    exec: exec.split(' ').filter((part) => part !== ''),
  };
}
