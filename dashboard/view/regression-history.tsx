import type { Profile } from '../../protocol/rest/profile.ts';
import type { Regression } from '../../protocol/rest/regressions.ts';
import { formatDuration } from '../format.ts';
import {
  amountOf,
  changeOf,
  compareObstacle,
  correlatedWords,
  findingWords,
  loadWords,
  outcomeWords,
  profilesAround,
  referenceWords,
  regressionAsText,
  significanceWords,
} from '../model/regression-words.ts';
import { CopyText } from './copy-text.tsx';
import { hrefTo } from './navigation.ts';
import { NotListed } from './not-listed.tsx';
import { Badge, Facts, Time } from './parts.tsx';
import { Sparkline } from './sparkline.tsx';
import { useIntoSight } from './use-into-sight.ts';

interface Shown {
  readonly nowMs: number;
  /** For the way to what the functions did before and after; null until they are read. */
  readonly profiles: readonly Profile[] | null;
  /** How it stands with the baseline, while nothing can be compared with it. */
  readonly notYet: string | null;
}

/** What got worse so far, with what moved with it and what may be the cause. */
export function RegressionHistory(
  props: Shown & { regressions: readonly Regression[]; namedId: string | undefined; hasMore: boolean },
) {
  const { regressions, namedId, hasMore, ...shown } = props;
  return (
    <section id="regressions" aria-labelledby="regressions-title">
      <h3 id="regressions-title">What got worse so far</h3>
      <NotListed what="finding" id={namedId} among={regressions} />
      {regressions.length === 0 && (
        <p class="empty">
          {shown.notYet === null
            ? 'Nothing: no measure was beyond its limit and the noise of the baseline for three windows.'
            : `Nothing can be found yet: ${shown.notYet}`}
        </p>
      )}
      <ul class="incidents">
        {regressions.map((regression) => (
          <Card key={regression.id} regression={regression} isNamed={regression.id === namedId} {...shown} />
        ))}
      </ul>
      {hasMore && (
        <p class="hint">The newest {regressions.length} are shown; GET /regressions has those before them.</p>
      )}
    </section>
  );
}

function Card({ regression, nowMs, profiles, isNamed }: Shown & { regression: Regression; isNamed: boolean }) {
  const card = useIntoSight<HTMLLIElement>(isNamed);
  const { title, state, outcome, since, endedAt } = regression;
  const [tone, word] = outcomeWords[outcome];
  const ranMs = (endedAt === null ? nowMs : Date.parse(endedAt)) - Date.parse(since);
  return (
    <li ref={card} class={`card ${isNamed ? 'selected' : ''}`} aria-label={title}>
      <p class="incident-head">
        <Badge tone={state === 'open' ? tone : 'idle'}>{state === 'open' ? word : 'Over'}</Badge>
        <strong>{title}</strong>
        <span class="dim">
          since <Time iso={since} nowMs={nowMs} />, for {formatDuration(ranMs)}
        </span>
      </p>
      <p class="incident-title">{findingWords(regression)}</p>
      {state === 'open' || isNamed ? (
        <Finding regression={regression} nowMs={nowMs} profiles={profiles} />
      ) : (
        <details>
          <summary>How it was{regression.endReason === null ? '' : `; over because ${regression.endReason}`}</summary>
          <Finding regression={regression} nowMs={nowMs} profiles={profiles} />
        </details>
      )}
    </li>
  );
}

function Finding({ regression, nowMs, profiles }: Pick<Shown, 'nowMs' | 'profiles'> & { regression: Regression }) {
  const { reference, load, since, causes } = regression;
  return (
    <div class="finding-body">
      <div class="finding">
        <Picture regression={regression} />
        <div>
          {causes.length > 0 && (
            <ul class="list">
              {causes.map((cause) => (
                <li key={cause.text}>{cause.text}</li>
              ))}
            </ul>
          )}
          <Facts
            rows={[
              ['Beside', referenceWords(reference)],
              ['Significance', significanceWords(regression.significance)],
              ['Load', loadWords(load.ratio)],
              ['Explained by load', regression.explanation ?? 'no'],
              ['Ended because', regression.endReason],
            ]}
          />
        </div>
      </div>
      <Correlated regression={regression} />
      <p class="act">
        {profiles !== null && <FunctionsAround profiles={profiles} regression={regression} />}
        <a href={hrefTo('/', { from: String(Date.parse(since) - 600_000), to: String(endOf(regression, nowMs)) })}>
          That time in the charts
        </a>
        <CopyText label="Copy as text" text={() => regressionAsText(regression)} />
      </p>
    </div>
  );
}

/** The comparison of two profiles needs one from each side: what is missing is said, with the way to it. */
function FunctionsAround({ profiles, regression }: { profiles: readonly Profile[]; regression: Regression }) {
  const around = profilesAround(profiles, regression);
  const { before, after } = around;
  const obstacle = compareObstacle(around, regression);
  if (before !== null && after !== null) {
    return (
      <a href={hrefTo(`/compare/${encodeURIComponent(before)}/${encodeURIComponent(after)}`)}>
        Its functions before and after
      </a>
    );
  }
  const [way, words] =
    after === null
      ? [hrefTo('/captures'), 'Take a CPU profile']
      : [hrefTo(`/profile/${encodeURIComponent(after)}`), 'Its functions since'];
  return (
    <>
      <span class="dim">{obstacle}</span>
      {(after !== null || regression.endedAt === null) && <a href={way}>{words}</a>}
    </>
  );
}

function Picture({ regression }: { regression: Regression }) {
  const { windows, baseline, since, unit, title, now } = regression;
  if (windows.length < 2) return null;
  const words = `${title} over ${windows.length} windows: usually ${amountOf(baseline.low, unit)} to ${amountOf(baseline.high, unit)}, now ${amountOf(now, unit)}`;
  return (
    <figure>
      <Sparkline windows={windows} baseline={baseline} since={since} size="large" words={words} />
      <figcaption>{windows.length} windows; the band is what was usual</figcaption>
    </figure>
  );
}

const shownCorrelated = 8;

function Correlated({ regression: { correlated } }: { regression: Regression }) {
  if (correlated.length === 0) return null;
  return (
    <details>
      <summary>What moved as well: {correlated.length}</summary>
      <table class="profiles compare">
        <thead>
          <tr>
            <th scope="col">Series</th>
            <th scope="col" class="num">
              Before
            </th>
            <th scope="col" class="num">
              Now
            </th>
            <th scope="col">Moves with it</th>
          </tr>
        </thead>
        <tbody>
          {correlated.slice(0, shownCorrelated).map((one) => (
            <tr key={one.name}>
              <td data-label="Kind">
                <bdi>{one.name}</bdi>
              </td>
              <td class="num" data-label="Before">
                {round(one.baseline)}
              </td>
              <td class="num" data-label="Now">
                {round(one.now)}{' '}
                {one.baseline !== 0 && <span class="dim">{changeOf((one.now - one.baseline) / one.baseline)}</span>}
              </td>
              <td data-label="Moves with it">{correlatedWords(one)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {correlated.length > shownCorrelated && <p class="hint">The closest {shownCorrelated} are shown.</p>}
    </details>
  );
}

function endOf({ endedAt }: Regression, nowMs: number): number {
  return endedAt === null ? Math.round(nowMs) : Date.parse(endedAt) + 600_000;
}

function round(value: number): string {
  return String(Number(value.toPrecision(3)));
}
