import type { Profile } from '../../protocol/rest/profile.ts';
import { formatBytes, formatDuration } from '../format.ts';
import { hrefTo } from './navigation.ts';
import { Time } from './parts.tsx';

const listed = 5;

/** The newest profiles of the heap sampler, as flame graphs: which calls allocated what stayed, or all there was. */
export function SampledHeaps(props: { profiles: readonly Profile[]; targetId: string; nowMs: number }) {
  const { profiles, targetId, nowMs } = props;
  const mine = profiles.filter((profile) => profile.kind === 'heap-sampling' && profile.targetId === targetId);
  return (
    <section aria-labelledby="sampled-title">
      <h3 id="sampled-title">Allocations by call</h3>
      {mine.length === 0 ? (
        <p class="hint">
          No heap was sampled yet: <a href={hrefTo('/captures')}>start it among the captures</a> to see which calls
          allocate what a verdict speaks of.
        </p>
      ) : (
        <ul class="list">
          {mine.slice(0, listed).map(({ id, startedAt, durationMs, sampling, sizeBytes }) => (
            <li key={id}>
              <a href={hrefTo(`/profile/${encodeURIComponent(id)}`)}>
                Flame graph of {sampling?.mode === 'churn' ? 'all that was allocated' : 'what stayed'}
              </a>
              , <Time iso={startedAt} nowMs={nowMs} />, {formatDuration(durationMs)}
              {sampling?.topSite && (
                <>
                  , most by <bdi>{sampling.topSite.slice(0, 200)}</bdi>
                </>
              )}{' '}
              <span class="dim">{formatBytes(sizeBytes)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
