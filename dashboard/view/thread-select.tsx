import type { Target } from '../../protocol/rest/target.ts';

export function ThreadSelect(props: {
  id: string;
  target: Target | undefined;
  withAll: boolean;
  value: string;
  onValue: (thread: string) => void;
}) {
  const workers = (props.target?.threads ?? []).filter((thread) => thread.kind === 'worker');
  const gone = props.value !== 'main' && props.value !== 'all' && !workers.some(({ id }) => id === props.value);
  return (
    <label class="field" for={props.id}>
      Thread
      <select id={props.id} value={props.value} onChange={(event) => props.onValue(event.currentTarget.value)}>
        <option value="main">Main thread</option>
        {props.withAll && <option value="all">All threads ({workers.length + 1})</option>}
        {workers.map((thread) => (
          <option key={thread.id} value={thread.id}>
            {thread.title} ({thread.id})
          </option>
        ))}
        {gone && <option value={props.value}>{props.value} (gone)</option>}
      </select>
    </label>
  );
}
