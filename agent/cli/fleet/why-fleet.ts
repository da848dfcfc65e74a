import { clip, joinLines, textTable } from '../../../protocol/text-table/table.ts';
import type { CommandContext } from '../command.ts';
import { interruptible } from '../interruptible.ts';
import { each } from './each.ts';
import { healthOf, rankOf } from './health.ts';
import type { Health } from './health.ts';
import { readState } from './read-state.ts';
import type { FleetPod } from './kubernetes-objects.ts';
import { findPods } from './selection.ts';
import type { FleetAccess, parseSelection } from './selection.ts';

interface Row {
  readonly pod: FleetPod;
  readonly health: Health;
}

export interface FleetQuestion {
  readonly selection: ReturnType<typeof parseSelection>;
  readonly access: FleetAccess;
  readonly atOnce: number;
  readonly isJson: boolean;
}

/**
 * `sidescope why -l app=shop`: one line per pod from what its agent has seen already, those that are stuck first. Nothing is started in a target, and a pod
 * without the agent is not looked into.
 */
export async function explainFleet(
  { selection, access, atOnce, isJson }: FleetQuestion,
  { print, signal }: Pick<CommandContext, 'print' | 'signal'>,
): Promise<number> {
  return interruptible(signal, async () => {
    const pods = await findPods(selection, { ...access, signal });
    const states = await each(pods, atOnce, (pod) => readState(pod, { access, signal }));
    const rows = states
      .map((state): Row => ({ pod: state.pod, health: healthOf(state) }))
      .toSorted((a, b) => rankOf(a.health.word) - rankOf(b.health.word));
    print(isJson ? `${JSON.stringify({ pods: rows.map(rowJson) })}\n` : rowsText(rows));
    return states.every(({ agent }) => agent !== null) ? 0 : 1;
  });
}

function rowJson({ pod, health }: Row): object {
  return {
    pod: pod.name,
    namespace: pod.namespace,
    version: pod.version,
    node: pod.node,
    health: health.word,
    why: health.why,
  };
}

function rowsText(rows: readonly Row[]): string {
  const heads = textTable(rows, { health: ({ health }) => health.word, pod: ({ pod }) => pod.name });
  const lines = heads.map((head, index) => {
    const why = index === 0 ? 'why' : (rows[index - 1]?.health.why ?? '');
    // A why is worth more than a table's width: it names function, line and request.
    return clip(`${head.padEnd(Math.max(...heads.map(({ length }) => length)))}  ${why}`.trimEnd(), 400);
  });
  const hasAbsent = rows.some(({ pod }) => pod.sidecar.state === 'absent');
  return joinLines([
    ...lines,
    ...(hasAbsent ? ['', 'A pod without the agent is looked into by: sidescope why pod/NAME'] : []),
  ]);
}
