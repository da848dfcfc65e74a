import type { Target } from '../../protocol/rest/target.ts';
import type { PageState } from '../model/page-state.ts';
import { CpuForm } from './cpu-form.tsx';
import { Running } from './running.tsx';
import { SamplingForm } from './sampling-form.tsx';
import { SnapshotForm } from './snapshot-form.tsx';

export function StartSection({ state, target }: { state: PageState; target: Target | undefined }) {
  return (
    <section id="start" aria-labelledby="start-title">
      <h3 id="start-title">Start one</h3>
      <div class="start-forms">
        <CpuForm state={state} target={target} />
        <SnapshotForm state={state} target={target} />
        <SamplingForm state={state} target={target} />
        <Running state={state} />
      </div>
    </section>
  );
}
