import { isEndedState } from '../../protocol/rest/operation.ts';
import { headline } from '../model/words.ts';
import { Checklist } from './checklist.tsx';
import { setQuery } from './navigation.ts';
import { TargetsSection } from './targets-section.tsx';
import type { ViewProps } from './view-props.ts';

/** Is it healthy, and if not, what is it. */
export function View({ state, target }: ViewProps) {
  const activeCount = state.operations.filter((operation) => !isEndedState(operation.state)).length;
  const summary = headline(state, activeCount);
  return (
    <>
      <p class={`headline ${summary.tone}`} aria-live="polite">
        {summary.text}
      </p>
      <TargetsSection
        state={state}
        selectedId={target?.id ?? null}
        onSelect={(id) => setQuery({ target: id, thread: null })}
      />
      <Checklist state={state} />
    </>
  );
}
