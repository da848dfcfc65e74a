import type { Target } from '../../protocol/rest/target.ts';
import type { PageState } from '../model/page-state.ts';
import { setQuery } from './navigation.ts';
import type { ViewEntry } from './view-props.ts';

/** Which target, and which of its threads, the views below are about. Nothing where there is nothing to choose. */
export function ChoiceBar(props: { state: PageState; entry: ViewEntry; target: Target | undefined; thread: string }) {
  const { state, entry, target, thread } = props;
  const workers = target?.threads.filter(({ kind }) => kind === 'worker') ?? [];
  const isKnown = thread === 'main' || workers.some(({ id }) => id === thread);
  return (
    <>
      {state.targets.length > 1 && (
        <label class="choose">
          Target{' '}
          <select
            value={target?.id ?? ''}
            onChange={(event) => setQuery({ target: event.currentTarget.value, thread: null })}
          >
            {state.targets.map((other) => (
              <option key={other.id} value={other.id}>
                {other.name} ({other.address})
              </option>
            ))}
          </select>
        </label>
      )}
      {entry.hasThread === true && (workers.length > 0 || !isKnown) && (
        <label class="choose">
          Thread{' '}
          <select
            value={thread}
            onChange={(event) => {
              const chosen = event.currentTarget.value;
              setQuery({ thread: chosen === 'main' ? null : chosen });
            }}
          >
            <option value="main">Main thread</option>
            {workers.map(({ id, title }) => (
              <option key={id} value={id}>
                {title} ({id})
              </option>
            ))}
            {!isKnown && <option value={thread}>{thread} (gone)</option>}
          </select>
        </label>
      )}
    </>
  );
}
