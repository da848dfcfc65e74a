import { useState } from 'preact/hooks';
import type { Catch, Rules } from '../../protocol/rest/rules.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { PageState } from '../model/page-state.ts';
import { catchStatus, catchTimes, catchWords } from '../model/rule-words.ts';
import { startObstacle } from '../model/words.ts';
import { hrefTo } from './navigation.ts';
import { useAction, useNow, usePage } from './page-context.ts';
import { ActionButton, Badge, ProblemNote } from './parts.tsx';
import { useFresh } from './use-fresh.ts';

const lookEveryMs = 5_000;
const shown = 3;

/** "Catch the next one": recorded from now until it happens, and what was recorded is kept. Nothing where the agent has no such route. */
export function CatchForm({ state, target }: { state: PageState; target: Target }) {
  const { api } = usePage();
  const action = useAction();
  const nowMs = useNow(state.clockOffsetMs, lookEveryMs);
  const [event, setEvent] = useState<Catch['event']>('stall');
  const [time, setTime] = useState<string>('30m');
  const [started, setStarted] = useState(0);
  /** What the agent said to the last click, until the list is read again. */
  const [answer, setAnswer] = useState<{ readonly one: Catch; readonly before: Rules } | null>(null);
  const { value, problem } = useFresh({
    key: target.id,
    tick: `${nowMs} ${started}`,
    read: (signal) => api.rules(target.id, signal),
  });
  if (value === null) return problem !== null && problem.status !== 404 ? <ProblemNote problem={problem} /> : null;
  const start = (): void =>
    action.run(async () => {
      setAnswer({ one: await api.catchNext({ target: target.id, event, for: time }), before: value });
      setStarted((count) => count + 1);
    });
  const cancel = (id: string): void =>
    action.run(async () => {
      setAnswer({ one: await api.cancelCatch(id), before: value });
      setStarted((count) => count + 1);
    });
  const known =
    answer?.before === value ? [answer.one, ...value.catches.filter(({ id }) => id !== answer.one.id)] : value.catches;
  const catches = known.filter(({ targetId }) => targetId === target.id).slice(0, shown);
  return (
    <section id="catch" aria-labelledby="catch-title">
      <h3 id="catch-title">Catch the next one</h3>
      <div class="act">
        <select
          aria-label="What to catch"
          value={event}
          onChange={(change) => setEvent(change.currentTarget.value as Catch['event'])}
        >
          {Object.entries(catchWords).map(([name, words]) => (
            <option key={name} value={name}>
              {words}
            </option>
          ))}
        </select>
        <select aria-label="For how long" value={time} onChange={(change) => setTime(change.currentTarget.value)}>
          {Object.entries(catchTimes).map(([name, words]) => (
            <option key={name} value={name}>
              within {words}
            </option>
          ))}
        </select>
        <ActionButton onClick={start} busy={action.busy} obstacle={startObstacle(state, target, 'capture')}>
          Catch it
        </ActionButton>
        <span class="dim">The target is sampled at a low rate until then; the minute around it is kept.</span>
      </div>
      <ProblemNote problem={action.problem} onClose={action.clear} />
      <Catches
        catches={catches}
        nowMs={nowMs}
        cancelObstacle={action.busy ? 'One moment.' : startObstacle(state, target, 'capture')}
        onCancel={cancel}
      />
    </section>
  );
}

function Catches(props: {
  catches: readonly Catch[];
  nowMs: number;
  cancelObstacle: string | null;
  onCancel: (id: string) => void;
}) {
  const { catches, nowMs, cancelObstacle, onCancel } = props;
  return (
    <ul class="catches">
      {catches.map((one) => {
        const { tone, label, sentence } = catchStatus(one, nowMs);
        return (
          <li key={one.id}>
            <Badge tone={tone}>{label}</Badge> {catchWords[one.event]}. {sentence}{' '}
            {one.profileId !== null && (
              <a href={hrefTo(`/profile/${encodeURIComponent(one.profileId)}`)}>Its profile</a>
            )}
            {one.state === 'waiting' && (
              <ActionButton onClick={() => onCancel(one.id)} obstacle={cancelObstacle}>
                Wait no more
              </ActionButton>
            )}
          </li>
        );
      })}
    </ul>
  );
}
