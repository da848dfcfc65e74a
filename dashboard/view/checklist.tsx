import { checklist } from '../model/checklist.ts';
import type { PageState } from '../model/page-state.ts';
import { Badge, Command, Marked } from './parts.tsx';

export function Checklist({ state }: { state: PageState }) {
  return (
    <section id="checklist" aria-labelledby="checklist-title">
      <h2 id="checklist-title">Checklist</h2>
      <ul class="card checklist">
        {checklist(state).map(({ name, tone, label, sentence, line }) => (
          <li key={name}>
            <strong>{name}</strong> <Badge tone={tone}>{label}</Badge>{' '}
            <span>
              <Marked text={sentence} />
            </span>
            {line !== null && <Command text={line} />}
          </li>
        ))}
      </ul>
    </section>
  );
}
