import { clip, joinLines, textTable } from '../../protocol/text-table/table.ts';
import { ageText } from './age-text.ts';
import { commandHelp, readCommandLine } from './command-line.ts';
import type { CommandContext } from './command.ts';
import { each } from './fleet/each.ts';
import { healthOf } from './fleet/health.ts';
import { readState } from './fleet/read-state.ts';
import type { PodState } from './fleet/read-state.ts';
import { atOnce, findPods, fleetAccess, fleetOptions, parseSelection } from './fleet/selection.ts';
import { interruptible } from './interruptible.ts';

export const podsShape = {
  usage: 'sidescope pods -l LABELS | KIND/NAME [options]',
  lines: [
    'Lists pods with what their agents say: version, node, age, sidecar, target, health, last alert.',
    'Needs kubectl, and a role with `get` and `list` on `pods`, and `create` on `pods/exec` and `pods/portforward`.',
    'Exit codes: 0 every agent answered, 1 some did not or there is no such pod, 2 the command line is wrong.',
  ],
  options: { ...fleetOptions, json: { type: 'boolean', meaning: 'Print one JSON document.' } },
} as const;

/** `sidescope pods`. */
export async function listPods(context: CommandContext): Promise<number> {
  const { values, words, help } = readCommandLine(context.argv, podsShape);
  if (help) {
    context.print(commandHelp(podsShape));
    return 0;
  }
  const selection = parseSelection(words, { selector: values.selector, usage: podsShape.usage });
  const [access, count, { signal }] = [fleetAccess(values), atOnce(values), context];
  return interruptible(signal, async () => {
    const pods = await findPods(selection, { ...access, signal });
    const states = await each(pods, count, (pod) => readState(pod, { access, signal }));
    context.print(values.json ? `${JSON.stringify({ pods: states.map(podJson) })}\n` : podsText(states, Date.now()));
    return states.every(({ agent }) => agent !== null) ? 0 : 1;
  });
}

function podJson(state: PodState): object {
  const { pod, agent, problem } = state;
  const { createdAtMs, ownerUid: _, ...facts } = pod;
  return { ...facts, createdAt: new Date(createdAtMs).toISOString(), health: healthOf(state), problem, ...agent };
}

function podsText(states: readonly PodState[], nowMs: number): string {
  const table = textTable(states, {
    pod: ({ pod }) => pod.name,
    version: ({ pod }) => pod.version || '-',
    node: ({ pod }) => pod.node || '-',
    age: ({ pod }) => ageText(nowMs - pod.createdAtMs),
    sidecar: ({ pod, problem }) =>
      pod.sidecar.state !== 'running' ? pod.sidecar.reason : problem === null ? 'ok' : 'no answer',
    target: ({ agent }) => agent?.targets.map(({ state }) => state.state).join(', ') ?? '-',
    health: (state) => healthOf(state).word,
    'last alert': ({ agent }) => lastAlertText(agent?.lastAlert ?? null, nowMs),
  });
  const silent = states.filter(({ pod, problem }) => pod.sidecar.state === 'running' && problem !== null);
  return joinLines([...table, ...silent.map(({ pod, problem }) => clip(`${pod.name}: ${problem ?? ''}`, 400))]);
}

function lastAlertText(alert: NonNullable<PodState['agent']>['lastAlert'], nowMs: number): string {
  if (alert === null) return '-';
  const state = alert.state === 'open' ? 'open' : 'over';
  return `${ageText(nowMs - Date.parse(alert.openedAt))} ago, ${state}: ${alert.title}`;
}
