import { SidescopeError } from '../../protocol/error.ts';
import { mintedTokenSchema } from '../../protocol/rest/control.ts';
import type { MintedToken } from '../../protocol/rest/control.ts';
import type { AgentsInPods } from './agent-in-pod.ts';

export interface AgentContainer extends AgentsInPods {
  /** `pod/NAME`. */
  readonly pod: string;
}

/** `sidescope token` in the agent's container: a token for one hour. Rejects with `kubectl-failed`. */
export async function mintInPod(
  { kubectl, pod, container, exec }: AgentContainer,
  signal: AbortSignal,
): Promise<MintedToken> {
  const words = [pod, `--container=${container}`, '--', ...exec, 'token', '--json'];
  const doing = `kubectl exec ${pod} -c ${container} -- ${exec.join(' ')} token`;
  const printed = await kubectl.exec(words, { doing, signal });
  const parsed = mintedTokenSchema.safeParse(jsonOf(printed));
  if (parsed.success) return parsed.data;
  throw new SidescopeError(
    'kubectl-failed',
    `${doing}: what it printed is no token; is that container an agent of this version?`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema says what is wrong with undefined.
    return undefined;
  }
}
