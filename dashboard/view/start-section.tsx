import type { Target } from '../../protocol/rest/target.ts';
import type { PageState } from '../model/page-state.ts';
import { CpuForm } from './cpu-form.tsx';
import { Running } from './running.tsx';
import { SnapshotForm } from './snapshot-form.tsx';

export function StartSection(props: { state: PageState; target: Target | undefined; onTarget: (id: string) => void }) {
  const { state, target, onTarget } = props;
  return (
    <section id="start" aria-labelledby="start-title">
      <div class="title">
        <h2 id="start-title">Capture</h2>
        {state.targets.length > 1 && (
          <label>
            of{' '}
            <select value={target?.id ?? ''} onChange={(event) => onTarget(event.currentTarget.value)}>
              {state.targets.map((other) => (
                <option key={other.id} value={other.id}>
                  {other.name} ({other.address})
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <div class="capture">
        <CpuForm state={state} target={target} />
        <SnapshotForm state={state} target={target} />
        <Running state={state} />
      </div>
    </section>
  );
}
