import { useState } from 'preact/hooks';
import { samplingIntervalBytes } from '../../protocol/rest/limits.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { SamplingMode } from '../../protocol/rest/profile.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { formatDuration } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { readSamplingChoice } from '../model/sampling-choice.ts';
import { startObstacle } from '../model/words.ts';
import { hrefTo } from './navigation.ts';
import { useAction, usePage } from './page-context.ts';
import { ActionButton, ProblemNote } from './parts.tsx';
import { ThreadSelect } from './thread-select.tsx';

const modes: readonly (readonly [SamplingMode, string])[] = [
  ['live', 'What stays'],
  ['churn', 'All that is allocated'],
];

export function SamplingForm({ state, target }: { state: PageState; target: Target | undefined }) {
  const { api, store } = usePage();
  const action = useAction();
  const [mode, setMode] = useState<SamplingMode>('live');
  const [durationSeconds, setDurationSeconds] = useState('60');
  const [intervalKib, setIntervalKib] = useState('');
  const [thread, setThread] = useState('main');
  const choice = readSamplingChoice({ mode, durationSeconds, intervalKib });
  const obstacle = startObstacle(state, target, 'capture') ?? choice.error;
  const start = (): void => {
    if (target === undefined || choice.error !== null) return;
    const { durationMs: duration, intervalBytes: interval } = choice;
    action.run(async () => {
      const query = { target: target.id, thread, mode, duration, interval };
      store.apply({ type: 'operation', operation: await api.post<Operation>('/heap/sampling/start', query) });
    });
  };
  return (
    <article class="card form" aria-labelledby="sampling-title">
      <h3 id="sampling-title">Heap sampling</h3>
      <p class="hint">Which functions allocate. The target keeps serving; at the end it pauses for a collection.</p>
      <fieldset class="choices">
        <legend>What is counted</legend>
        {modes.map(([name, words]) => (
          <label key={name} class="choice">
            <input type="radio" name="sampling-mode" checked={mode === name} onChange={() => setMode(name)} />
            <span>{words}</span>
          </label>
        ))}
      </fieldset>
      <div class="fields">
        <ThreadSelect id="sampling-thread" target={target} withAll={false} value={thread} onValue={setThread} />
        <label class="field" for="sampling-duration">
          For (seconds)
          <input
            id="sampling-duration"
            class="number"
            inputMode="decimal"
            value={durationSeconds}
            onInput={(event) => setDurationSeconds(event.currentTarget.value)}
          />
        </label>
        <label class="field" for="sampling-interval">
          Sample every (KiB)
          <input
            id="sampling-interval"
            class="number"
            inputMode="decimal"
            placeholder={`${samplingIntervalBytes.default / 1024} (default)`}
            value={intervalKib}
            onInput={(event) => setIntervalKib(event.currentTarget.value)}
          />
        </label>
      </div>
      <div class="act">
        <ActionButton primary onClick={start} obstacle={obstacle} busy={action.busy} describedBy="sampling-why">
          {choice.error === null ? `Sample for ${formatDuration(choice.durationMs)}` : 'Sample'}
        </ActionButton>
        <p id="sampling-why" class="why">
          {obstacle}
        </p>
      </div>
      <ProblemNote problem={action.problem} onClose={action.clear} />
      <p class="hint">
        What every thread executes at this moment, stored nowhere: <a href={hrefTo('/stacks')}>stacks</a>.
      </p>
    </article>
  );
}
