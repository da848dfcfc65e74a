import { useState } from 'preact/hooks';
import { cpuIntervalUs } from '../../protocol/rest/limits.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { formatDuration } from '../format.ts';
import { readCpuChoice } from '../model/cpu-choice.ts';
import type { PageState } from '../model/page-state.ts';
import { startObstacle } from '../model/words.ts';
import { useAction, usePage } from './page-context.ts';
import { ActionButton, ProblemNote } from './parts.tsx';
import { ThreadSelect } from './thread-select.tsx';

const presetSeconds = ['5', '30', '60'] as const;

export function CpuForm({ state, target }: { state: PageState; target: Target | undefined }) {
  const { api, store } = usePage();
  const action = useAction();
  const [durationSeconds, setDurationSeconds] = useState('30');
  const [custom, setCustom] = useState(false);
  const [intervalUs, setIntervalUs] = useState('');
  const [thread, setThread] = useState('main');
  const choice = readCpuChoice({ durationSeconds, intervalUs });
  const isRecorded =
    (thread === 'main' || thread === 'all') &&
    state.info?.features.some(({ name, state: is }) => name === 'flight-recorder' && is === 'on') === true;
  const obstacle = startObstacle(state, target, 'capture') ?? choice.error;
  const start = (): void => {
    if (target === undefined || choice.error !== null) return;
    const { durationMs: duration, intervalUs: interval } = choice;
    action.run(async () => {
      const operation = await api.startCpu({ target: target.id, thread, duration, interval });
      store.apply({ type: 'operation', operation });
    });
  };
  return (
    <article class="card form" aria-labelledby="cpu-title">
      <h3 id="cpu-title">CPU profile</h3>
      <p class="hint">Which functions burn the time. The target keeps serving: about 5 % of one core at the default.</p>
      <fieldset class="choices">
        <legend>Duration</legend>
        {presetSeconds.map((seconds) => (
          <Choice
            key={seconds}
            label={`${seconds} s`}
            checked={!custom && durationSeconds === seconds}
            onChoose={() => {
              setCustom(false);
              setDurationSeconds(seconds);
            }}
          />
        ))}
        <Choice label="Custom" checked={custom} onChoose={() => setCustom(true)} />
        {custom && (
          <label class="inline">
            <input
              class="number"
              inputMode="decimal"
              aria-label="Duration in seconds"
              value={durationSeconds}
              onInput={(event) => setDurationSeconds(event.currentTarget.value)}
            />{' '}
            seconds
          </label>
        )}
      </fieldset>
      <div class="fields">
        <ThreadSelect id="cpu-thread" target={target} withAll value={thread} onValue={setThread} />
        <label class="field" for="cpu-interval">
          Sample every (µs)
          <input
            id="cpu-interval"
            class="number"
            inputMode="numeric"
            placeholder={isRecorded ? 'as recorded' : `${cpuIntervalUs.default} (default)`}
            value={intervalUs}
            onInput={(event) => setIntervalUs(event.currentTarget.value)}
          />
        </label>
      </div>
      {isRecorded && intervalUs.trim() === '' && (
        <p class="hint">
          The flight recorder is on: the main thread’s profile is made of its samples, one in 10 ms. Set an interval for
          finer ones.
        </p>
      )}
      <div class="act">
        <ActionButton primary onClick={start} obstacle={obstacle} busy={action.busy} describedBy="cpu-why">
          {choice.error === null ? `Profile for ${formatDuration(choice.durationMs)}` : 'Profile'}
        </ActionButton>
        <p id="cpu-why" class="why">
          {obstacle}
        </p>
      </div>
      <ProblemNote problem={action.problem} onClose={action.clear} />
    </article>
  );
}

function Choice({ label, checked, onChoose }: { label: string; checked: boolean; onChoose: () => void }) {
  return (
    <label class="choice">
      <input type="radio" name="cpu-duration" checked={checked} onChange={onChoose} />
      <span>{label}</span>
    </label>
  );
}
