import { formatBytes, formatCount, plural } from '../format.ts';
import type { HeapClient } from '../heap/heap-client.ts';
import { ObjectLink } from './heap-object.tsx';
import { ProblemNote } from './parts.tsx';
import { useHeapAnswer } from './use-heap-answer.ts';

/** What holds the objects of one class, and the biggest of them. */
export function HeapClassView(props: { client: HeapClient; name: string; onObject: (id: number) => void }) {
  const { client, name, onObject } = props;
  const { detail, problem } = useHeapAnswer(client, name, () => client.ask('class', { name }));
  if (detail === null)
    return problem === null ? <p class="hint">Looking for what holds them…</p> : <ProblemNote problem={problem} />;
  return (
    <article class="card heap-class" aria-label={`Class ${name}`}>
      <header>
        <h3>
          <bdi>{name}</bdi>
        </h3>
        <span class="dim">{plural(detail.count, 'object')}</span>
      </header>
      <h4>What holds them</h4>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th scope="col">Way</th>
              <th scope="col" class="num">
                Objects
              </th>
              <th scope="col" class="num">
                Retained
              </th>
            </tr>
          </thead>
          <tbody>
            {detail.groups.map(({ path, exampleId, count, retainedBytes }) => (
              <tr key={path}>
                <td>
                  <button type="button" class="link" onClick={() => onObject(exampleId)}>
                    <code>
                      <bdi>{path}</bdi>
                    </code>
                  </button>
                </td>
                <td class="num">{formatCount(count)}</td>
                <td class="num">{formatBytes(retainedBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <h4>Those that retain most</h4>
      <ul class="objects">
        {detail.objects.map((object) => (
          <li key={object.node}>
            <ObjectLink object={object} onObject={onObject} />
            <span class="num dim">{formatBytes(object.retainedBytes)}</span>
          </li>
        ))}
      </ul>
    </article>
  );
}
