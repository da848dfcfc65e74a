import type { HeapEvidence, HeapGrowth } from '../../protocol/rest/leak-snapshots.ts';
import { formatBytes, formatCount, formatShare } from '../format.ts';
import { hrefTo } from './navigation.ts';

/** What heap snapshots say of a growth: classes, and the ways they are held; or how to come to know. */
export function HeapEvidenceRows({ heap }: { heap: HeapEvidence }) {
  const { growth, note } = heap;
  if (growth === null) return <p class="hint">{note}</p>;
  return (
    <div class="growth">
      <p class="hint">
        {note}{' '}
        <a href={hrefTo(`/heap/${encodeURIComponent(growth.after)}`, { against: growth.before })}>
          Compare these snapshots
        </a>
      </p>
      <Paths paths={growth.paths} />
      <Classes classes={growth.classes} />
    </div>
  );
}

function Paths({ paths }: Pick<HeapGrowth, 'paths'>) {
  if (paths.length === 0) return <p class="hint">No way of holding new objects stands out.</p>;
  return (
    <ol class="sites" aria-label="What holds the growth">
      {paths.map(({ className, path, count, retainedBytes, share }) => (
        <li key={`${className} ${path}`}>
          <span class="site-bar" aria-hidden="true" style={{ width: `${100 * share}%` }} />
          <span class="site-text">
            <code>
              <bdi>{path}</bdi>
            </code>{' '}
            <span class="dim">
              {formatCount(count)} × <bdi>{className}</bdi>
            </span>
          </span>
          <span class="num">
            {formatBytes(retainedBytes)} <span class="dim">{formatShare(share)} of what is new</span>
          </span>
        </li>
      ))}
    </ol>
  );
}

function Classes({ classes }: Pick<HeapGrowth, 'classes'>) {
  if (classes.length === 0) return null;
  return (
    <ul class="objects" aria-label="Classes that retain more">
      {classes.map(({ name, counts: [before, after], grownBytes }) => (
        <li key={name}>
          <code>
            <bdi>{name}</bdi>
          </code>
          <span class="num">
            +{formatBytes(grownBytes)}{' '}
            <span class="dim">
              {formatCount(before)} → {formatCount(after)}
            </span>
          </span>
        </li>
      ))}
    </ul>
  );
}
