import type { Regression } from '../../protocol/rest/regressions.ts';
import { amountOf, changeOf, outcomeWords, referenceWords } from '../model/regression-words.ts';
import { Badge, Facts, Time } from './parts.tsx';

/** What got worse so far, with what moved with it and what may be the cause. */
export function RegressionHistory(props: {
  regressions: readonly Regression[];
  nowMs: number;
  namedId: string | undefined;
}) {
  const { regressions, nowMs, namedId } = props;
  return (
    <section id="regressions" aria-labelledby="regressions-title">
      <h3 id="regressions-title">Regressions</h3>
      {regressions.length === 0 && <p class="empty">None was found.</p>}
      <ul class="incidents">
        {regressions.map((regression) => (
          <Card key={regression.id} regression={regression} nowMs={nowMs} isNamed={regression.id === namedId} />
        ))}
      </ul>
    </section>
  );
}

function Card(props: { regression: Regression; nowMs: number; isNamed: boolean }) {
  const { regression, nowMs, isNamed } = props;
  const { title, unit, baseline, now, change, state, outcome, reference, load } = regression;
  const [tone, word] = outcomeWords[outcome];
  return (
    <li class={`card ${isNamed ? 'selected' : ''}`} aria-label={title}>
      <p class="incident-head">
        <Badge tone={state === 'open' ? tone : 'idle'}>{state === 'open' ? word : 'Over'}</Badge>
        <strong>{title}</strong>
        <span class="dim">
          since <Time iso={regression.since} nowMs={nowMs} />
        </span>
      </p>
      <p class="incident-title">
        {amountOf(baseline.median, unit)} to {amountOf(now, unit)}, {changeOf(change)}
      </p>
      {regression.causes.length > 0 && (
        <ul class="list">
          {regression.causes.map((cause) => (
            <li key={cause.text}>{cause.text}</li>
          ))}
        </ul>
      )}
      <Facts
        rows={[
          ['Beside', referenceWords(reference)],
          ['Significance', `${regression.significance.toFixed(1)} standard deviations`],
          ['Load', load.ratio === null ? `not known (${load.source})` : changeOf(load.ratio - 1)],
          ['Explained', regression.explanation],
          ['Ended because', regression.endReason],
          ...regression.correlated
            .slice(0, 8)
            .map(({ name, baseline: before, now: after }) => [name, `${round(before)} to ${round(after)}`] as const),
        ]}
      />
    </li>
  );
}

function round(value: number): string {
  return String(Number(value.toPrecision(3)));
}
