import type { GrowthSite, LeakList, LeakSearch, ListedLeak } from '../../protocol/rest/leaks.ts';
import { formatBytes, formatDuration, formatShare, plural } from '../format.ts';
import { growthText, poolWords, siteText, verdictBadge } from '../model/memory-words.ts';
import { HeapEvidenceRows } from './leak-heap.tsx';
import { Badge, Facts, Time } from './parts.tsx';

/** What each pool does now, with the evidence for it, and what was called a leak before. */
export function LeakVerdicts({ list, nowMs }: { list: LeakList; nowMs: number }) {
  return (
    <>
      {list.verdicts.length === 0 && (
        <p class="empty">
          Too little is known yet: a verdict stands on some minutes of readings, after garbage collections.
        </p>
      )}
      <ul class="cards">
        {list.verdicts.map((verdict) => (
          <Verdict key={verdict.pool} verdict={verdict} nowMs={nowMs} />
        ))}
      </ul>
      {list.earlier.length > 0 && (
        <details class="earlier">
          <summary>Called leaks before ({list.earlier.length})</summary>
          <ul class="objects">
            {list.earlier.map((record) => (
              <li key={record.id}>
                <span>
                  <strong>{poolWords[record.pool]}</strong>, <Time iso={record.foundAt} nowMs={nowMs} />:{' '}
                  {record.reason}
                </span>
                <span class="dim">
                  {record.endedAt === null ? (
                    'goes on'
                  ) : (
                    <>
                      ended <Time iso={record.endedAt} nowMs={nowMs} />
                    </>
                  )}
                </span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Verdict({ verdict, nowMs }: { verdict: ListedLeak; nowMs: number }) {
  const [tone, word] = verdictBadge(verdict);
  const { limit } = verdict;
  return (
    <li class="card" aria-label={`${poolWords[verdict.pool]}: ${word}`}>
      <header>
        <h3>{poolWords[verdict.pool]}</h3>
        <Badge tone={tone}>{word}</Badge>
      </header>
      <p class="state told">{verdict.reason}</p>
      <Facts
        rows={[
          ['Sure to', tone === 'idle' ? null : formatShare(verdict.confidence)],
          ['Holds', verdict.levelBytes === null ? null : formatBytes(verdict.levelBytes)],
          // The number of the sentence above, in its unit.
          [
            'Grows',
            verdict.slopeMbPerHour === null ? null : `${Number(verdict.slopeMbPerHour.toPrecision(3))} MB an hour`,
          ],
          ['Grown', verdict.grownBytes === null ? null : formatBytes(verdict.grownBytes)],
          ['Since', verdict.since && <Time iso={verdict.since} nowMs={nowMs} />],
          [
            limit?.kind === 'heap' ? 'Heap limit reached' : 'Container limit reached',
            limit?.reachedAt && <Time iso={limit.reachedAt} nowMs={nowMs} />,
          ],
        ]}
      />
      {verdict.sites.length > 0 && <Sites sites={verdict.sites.slice(0, 5)} label="Allocating functions" />}
      {verdict.heap && <HeapEvidenceRows heap={verdict.heap} />}
      {verdict.verdict !== 'settled' && <p class="remedy">What to do: {verdict.nextStep}</p>}
    </li>
  );
}

/** Heap sampling between two readings: what was allocated and stayed. */
export function GrowthSites({ searches, nowMs }: { searches: readonly LeakSearch[]; nowMs: number }) {
  return (
    <>
      {searches.map(({ targetId, latest, unavailable, readings, costMs, isSampling }) => (
        <div key={targetId} class="growth">
          <h3>What grew between two readings of the heap sampler</h3>
          {latest === null ? (
            <p class="hint">
              {unavailable ??
                (isSampling
                  ? 'Sampling began; the first reading comes when the suspicion lasts.'
                  : 'No suspicion, so nothing is sampled. The guided search below samples on request.')}
            </p>
          ) : (
            <>
              <p class="hint">
                In {formatDuration(latest.forMs)}, until <Time iso={latest.at} nowMs={nowMs} />
                {readings === 0
                  ? ', read by the guided search below.'
                  : `; ${plural(readings, 'reading')} paused the process for ${formatDuration(costMs)} in all.`}
              </p>
              <Sites sites={latest.sites} label="What grew" />
            </>
          )}
        </div>
      ))}
    </>
  );
}

/** Most grown first, each with a bar to compare by. */
export function Sites({ sites, label }: { sites: readonly GrowthSite[]; label: string }) {
  const most = Math.max(1, ...sites.map(({ grownBytes }) => grownBytes));
  if (sites.length === 0) return <p class="hint">Nothing grew.</p>;
  return (
    <ol class="sites" aria-label={label}>
      {sites.map((site, index) => (
        <li key={index}>
          <span
            class="site-bar"
            aria-hidden="true"
            style={{ width: `${(100 * Math.max(0, site.grownBytes)) / most}%` }}
          />
          <span class="site-text">
            <code title={`${(site.original ?? site).url}`}>
              <bdi>{growthText(site)}</bdi>
            </code>
            {site.caller && (
              <span class="dim">
                {' '}
                for <bdi>{siteText(site.caller)}</bdi>
              </span>
            )}
          </span>
          <span class="num">
            +{formatBytes(Math.max(0, site.grownBytes))} <span class="dim">of {formatBytes(site.liveBytes)} live</span>
          </span>
        </li>
      ))}
    </ol>
  );
}
