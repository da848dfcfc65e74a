import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { isEndedState } from '../../protocol/rest/operation.ts';
import { headline } from '../model/words.ts';
import { CatchForm } from './catch-form.tsx';
import { Checklist } from './checklist.tsx';
import type { ChartsSection } from './charts-section.tsx';
import { HealthLines } from './health-line.tsx';
import { setQuery } from './navigation.ts';
import { useNow } from './page-context.ts';
import { TargetsSection } from './targets-section.tsx';
import type { ViewProps } from './view-props.ts';

type ChartsProps = Parameters<typeof ChartsSection>[0];

/** Is it healthy, and if not, what is it. */
export function View({ state, target, address }: ViewProps) {
  const nowMs = useNow(state.clockOffsetMs, 1_000);
  const activeCount = state.operations.filter((operation) => !isEndedState(operation.state)).length;
  const summary = headline(state, activeCount);
  const Charts = useCharts();
  return (
    <>
      <HealthLines state={state} nowMs={nowMs} />
      <p class="summary">{summary.text}</p>
      <TargetsSection
        state={state}
        selectedId={target?.id ?? null}
        onSelect={(id) => setQuery({ target: id, thread: null })}
      />
      {target !== undefined && Charts !== null && <Charts state={state} target={target} query={address.query} />}
      {target !== undefined && <CatchForm state={state} target={target} />}
      <Checklist state={state} />
    </>
  );
}

/** The charts' library comes behind the words: who looks reads them first. */
function useCharts(): ComponentType<ChartsProps> | null {
  const [charts, setCharts] = useState<{ readonly of: ComponentType<ChartsProps> } | null>(null);
  useEffect(() => {
    let gone = false;
    import('./charts-section.tsx').then(
      (module) => {
        if (!gone) setCharts({ of: module.ChartsSection });
      },
      () => {
        // A cut connection: the words stay, and the next visit of the view asks again.
      },
    );
    return () => {
      gone = true;
    };
  }, []);
  return charts?.of ?? null;
}
