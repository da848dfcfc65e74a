import type { Target } from '../../protocol/rest/target.ts';
import { healthOf } from '../model/health.ts';
import type { PageState } from '../model/page-state.ts';
import type { Tone } from '../model/words.ts';
import { hrefTo } from './navigation.ts';

const toneWords: Readonly<Record<Tone, string>> = {
  good: 'Good',
  busy: 'Busy',
  warn: 'Attention',
  bad: 'Problem',
  idle: 'Unknown',
};

/** Where the sentence leads: read alone, as screen readers list links, "show it" says nothing. */
const wayWords: Readonly<Record<string, string>> = {
  '/stacks': 'Show its stacks',
  '/alerts': 'Show the evidence',
  '/captures': 'Take a CPU profile',
  '/memory': 'Show its memory',
  '/regressions': 'Show before and after',
};

/** The first line of the page. With several targets each has its own, the worst on top. */
export function HealthLines({ state, nowMs }: { state: PageState; nowMs: number }) {
  const lines = state.targets
    .map((target) => ({ target, health: healthOf(state, target, nowMs) }))
    .toSorted((a, b) => order.indexOf(a.health.tone) - order.indexOf(b.health.tone));
  return (
    <div class="health" role="status" aria-label="Health">
      {lines.map(({ target, health }) => (
        <p key={target.id} class={`headline ${health.tone}`}>
          <span class="health-word">{toneWords[health.tone]}</span> <Name target={target} of={lines.length} />
          <bdi>{cut(health.text)}</bdi>{' '}
          {health.path !== null && (
            <a href={hrefTo(health.path, { ...health.query, target: target.id })}>
              {wayWords[health.path] ?? 'Show it'}
            </a>
          )}
        </p>
      ))}
    </div>
  );
}

/** A function's name may be 10 kB long; the view behind the link has the whole of it. */
function cut(text: string): string {
  return text.length > 400 ? `${text.slice(0, 399)}…` : text;
}

const order: readonly Tone[] = ['bad', 'warn', 'busy', 'idle', 'good'];

function Name({ target, of }: { target: Target; of: number }) {
  return of > 1 ? <span class="dim">{cut(target.name)}: </span> : null;
}
