import type { Alert } from '../../../protocol/rest/alerts.ts';
import type { PodState } from './read-state.ts';

/** The worst first: rows are sorted by it. */
export const healthWords = [
  'stuck',
  'saturated',
  'dying',
  'leaking',
  'slower',
  'alert',
  'unknown',
  'detached',
  'ok',
] as const;
export type HealthWord = (typeof healthWords)[number];

export interface Health {
  readonly word: HealthWord;
  /** What makes it so, in one sentence; empty when there is nothing to say. */
  readonly why: string;
}

/** The worst that is known of a pod; where several hold, the first of `healthWords`. */
export function healthOf({ agent, problem }: PodState): Health {
  if (agent === null) return { word: 'unknown', why: problem };
  const stall = agent.stalls.find(({ kind }) => kind === 'blocked') ?? agent.stalls[0];
  if (stall !== undefined) {
    const request =
      stall.span === null ? '' : `; request ${stall.span.route ?? stall.span.name}, trace ${stall.span.traceId}`;
    return { word: stall.kind === 'blocked' ? 'stuck' : 'saturated', why: `${stall.summary}${request}` };
  }
  const [worst] = agent.openAlerts
    .map((alert): Health => ({ word: wordOf(alert), why: alert.title }))
    .toSorted((a, b) => rankOf(a.word) - rankOf(b.word));
  if (worst !== undefined) return worst;
  const away = agent.targets.find(({ state: { state } }) => state === 'connecting' || state === 'detached');
  if (agent.targets.length === 0) return { word: 'detached', why: 'the agent has no target' };
  return away === undefined
    ? { word: 'ok', why: '' }
    : { word: 'detached', why: `${away.name}: ${stateText(away.state)}` };
}

export function rankOf(word: HealthWord): number {
  return healthWords.indexOf(word);
}

function wordOf({ problem }: Alert): HealthWord {
  switch (problem) {
    case 'stall':
      return 'stuck';
    case 'saturation':
      return 'saturated';
    case 'memory-limit':
    case 'target-death':
      return 'dying';
    case 'memory-leak':
      return 'leaking';
    case 'regression':
      return 'slower';
    case 'rule':
    case 'inspector-exposed':
      return 'alert';
  }
}

type TargetState = NonNullable<PodState['agent']>['targets'][number]['state'];

/** `attached`, `connecting: nothing listens at 127.0.0.1:9229 (ECONNREFUSED)`. */
export function stateText(state: TargetState): string {
  if (state.state === 'connecting' && state.lastFailure !== null) return `connecting: ${state.lastFailure.message}`;
  if (state.state === 'detached') return `detached: ${state.reason.message}`;
  return state.state;
}
