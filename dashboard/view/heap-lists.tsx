import { formatBytes, formatCount, formatShare } from '../format.ts';
import { formatBytesChange, formatChange } from '../heap/heap-words.ts';
import type { Comparison, Overview } from '../heap/messages.ts';
import { ObjectLink } from './heap-object.tsx';
import { Badge, Facts } from './parts.tsx';

interface WithObjects {
  readonly onObject: (id: number) => void;
}

export function HeapFacts({ overview }: { overview: Overview }) {
  const { nodes, edges, selfBytes, classCount, unreachedNodes } = overview;
  return (
    <Facts
      rows={[
        ['Size of all objects', formatBytes(selfBytes)],
        ['Objects', formatCount(nodes)],
        ['References', formatCount(edges)],
        ['Classes', formatCount(classCount)],
        ['Held by nothing', unreachedNodes === 0 ? null : formatCount(unreachedNodes)],
      ]}
    />
  );
}

export function BiggestObjects({ overview, onObject }: { overview: Overview } & WithObjects) {
  return (
    <div class="wide">
      <table class="heap-table">
        <thead>
          <tr>
            <th scope="col">Object</th>
            <th scope="col">Way to it</th>
            <th scope="col" class="num">
              Self
            </th>
            <th scope="col" class="num">
              Retained
            </th>
            <th scope="col" class="num">
              Of all
            </th>
          </tr>
        </thead>
        <tbody>
          {overview.biggest.map((object) => (
            <tr key={object.node}>
              <td>
                <ObjectLink object={object} onObject={onObject} />
              </td>
              <td>
                <code>
                  <bdi>{object.path}</bdi>
                </code>
              </td>
              <td class="num">{formatBytes(object.selfBytes)}</td>
              <td class="num">{formatBytes(object.retainedBytes)}</td>
              <td class="num">{formatShare(object.retainedBytes / overview.selfBytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function DuplicateStrings({ overview }: { overview: Overview }) {
  if (overview.duplicates.length === 0) return <p class="empty">No string is there twice.</p>;
  return (
    <div class="wide">
      <table class="heap-table">
        <thead>
          <tr>
            <th scope="col">String</th>
            <th scope="col" class="num">
              Times
            </th>
            <th scope="col" class="num">
              One would save
            </th>
          </tr>
        </thead>
        <tbody>
          {overview.duplicates.map(({ text, count, wastedBytes, isPrefix }, index) => (
            <tr key={index}>
              <td>
                <code>
                  <bdi>{JSON.stringify(text)}</bdi>
                </code>
                {isPrefix && <span class="dim"> and others that begin like it</span>}
              </td>
              <td class="num">{formatCount(count)}</td>
              <td class="num">{formatBytes(wastedBytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function GrowthHints({ overview, onObject }: { overview: Overview } & WithObjects) {
  if (overview.hints.length === 0)
    return (
      <p class="empty">
        Nothing of what often leaks is there in numbers: no large collection, no pile of timers, listeners or promises.
      </p>
    );
  return (
    <ul class="cards two">
      {overview.hints.map(({ kind, text, path, exampleId, retainedBytes }) => (
        <li key={`${kind} ${text} ${path}`} class="card">
          <strong>
            <bdi>{text}</bdi>
          </strong>
          <button type="button" class="link" onClick={() => onObject(exampleId)}>
            <code>
              <bdi>{path}</bdi>
            </code>
          </button>
          <span class="dim">retains {formatBytes(retainedBytes)}</span>
        </li>
      ))}
    </ul>
  );
}

/** What is in this snapshot and was not in the other one, by how it is held. */
export function GrownPaths({ comparison, onObject }: { comparison: Comparison } & WithObjects) {
  const { snapshots, warning, totals, grown } = comparison;
  return (
    <>
      {warning !== null && <p class="hint">{warning}</p>}
      {warning === null && snapshots > 2 && !grown.some(({ isSuspect }) => isSuspect) && (
        <p class="hint">No suspects: nothing of a class that grows from one to the next has stayed in numbers.</p>
      )}
      <Facts
        rows={[
          ['New', `${formatCount(totals.newCount)} objects, ${formatBytes(totals.newBytes)}`],
          ['Freed', `${formatCount(totals.freedCount)} objects, ${formatBytes(totals.freedBytes)}`],
          ['In both', `${formatCount(totals.survivedCount)} objects, ${formatBytes(totals.survivedBytes)}`],
          ['In all', formatBytesChange(totals.newBytes - totals.freedBytes)],
        ]}
      />
      <div class="wide">
        <table class="heap-table">
          <thead>
            <tr>
              <th scope="col">New objects</th>
              <th scope="col">Held by</th>
              <th scope="col" class="num">
                Count
              </th>
              <th scope="col" class="num">
                Retained
              </th>
            </tr>
          </thead>
          <tbody>
            {grown.map(({ className, path, exampleId, count, chainedCount, retainedBytes, isSuspect }) => (
              <tr key={`${className} ${path}`}>
                <td>
                  <bdi>{className}</bdi>{' '}
                  {chainedCount > count && (
                    <span class="dim">and {formatCount(chainedCount - 1)} that hang on it </span>
                  )}
                  {isSuspect && <Badge tone="warn">grows steadily</Badge>}
                </td>
                <td>
                  <button type="button" class="link" onClick={() => onObject(exampleId)}>
                    <code>
                      <bdi>{path}</bdi>
                    </code>
                  </button>
                </td>
                <td class="num">{formatChange(count)}</td>
                <td class="num">{formatBytesChange(retainedBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
