import type { FunctionChange } from '../../protocol/rest/diff.ts';

/** A function and its place, at the head of its row. */
export function FunctionCell({ functionName, url, line }: Pick<FunctionChange, 'functionName' | 'url' | 'line'>) {
  return (
    <td data-label="Kind">
      <code>
        <bdi>{functionName || '(anonymous)'}</bdi>
      </code>{' '}
      <span class="dim">
        <bdi>{url.replace(/^file:\/\//, '')}</bdi>
        {line > 0 && `:${line}`}
      </span>
    </td>
  );
}
