import type { PageState } from '../model/page-state.ts';
import { spanLine } from '../model/request-words.ts';
import { Command, Marked } from './parts.tsx';

export function NoSpans({ state }: { state: PageState }) {
  const otlp = state.info?.features.find(({ name }) => name === 'otlp');
  if (otlp !== undefined && otlp.state !== 'on') {
    return (
      <p class="empty">
        Spans are not received: {otlp.reason}. {otlp.remedy}
      </p>
    );
  }
  return (
    <div class="empty">
      <p>No spans yet: start the application with</p>
      <Command text={spanLine} />
      <p>
        <Marked text="Spans go on to where they went before when `--otlp-forward` names it." />
      </p>
    </div>
  );
}
