import type { Death } from '../../protocol/rest/deaths.ts';
import { formatDuration } from '../format.ts';
import { causeWords, deathAsText, memoryWords } from '../model/incident-words.ts';
import type { PageState } from '../model/page-state.ts';
import { CopyText } from './copy-text.tsx';
import { NotListed } from './not-listed.tsx';
import { usePage } from './page-context.ts';
import { Badge, Facts, ProblemNote, Time } from './parts.tsx';
import { useFresh } from './use-fresh.ts';
import { useIntoSight } from './use-into-sight.ts';

/** How earlier runs ended, as far as that is known from outside. */
export function DeathsSection(props: { state: PageState; named: string | undefined; nowMs: number }) {
  const { state, named, nowMs } = props;
  const { api } = usePage();
  const { value, problem } = useFresh({
    key: 'deaths',
    tick: state.deaths,
    read: (signal) => api.deaths({ limit: 10 }, signal),
  });
  return (
    <section id="deaths" aria-labelledby="deaths-title">
      <h3 id="deaths-title">Deaths</h3>
      <ProblemNote problem={problem} />
      {value === null && problem === null && <p class="hint">Reading…</p>}
      <NotListed what="death" id={named} among={value?.deaths} />
      {value?.deaths.length === 0 && (
        <p class="empty">No process ended while the agent was attached. When one does, this says how and why.</p>
      )}
      <ul class="incidents">
        {value?.deaths.map((death) => (
          <DeathCard key={death.id} death={death} nowMs={nowMs} isNamed={death.id === named} />
        ))}
      </ul>
    </section>
  );
}

function DeathCard({ death, nowMs, isNamed }: { death: Death; nowMs: number; isNamed: boolean }) {
  const card = useIntoSight<HTMLLIElement>(isNamed);
  return (
    <li ref={card} class={`card ${isNamed ? 'selected' : ''}`} aria-label={`Death of ${death.targetName}`}>
      <p class="incident-head">
        <Badge tone={death.cause === 'exit' ? 'idle' : 'bad'}>{causeWords[death.cause]}</Badge>{' '}
        <strong>{death.targetName}</strong>
        <span class="dim">
          pid {death.identity.pid}, <Time iso={death.at} nowMs={nowMs} /> after {formatDuration(death.uptimeMs)}
        </span>
      </p>
      <p class="incident-title">{death.summary}</p>
      <details open={isNamed}>
        <summary>Evidence</summary>
        <div class="details">
          <Facts
            rows={[
              ['Certainty', death.confidence],
              ['Exit code', death.exitCode === null ? null : String(death.exitCode)],
              ['Signal', death.signal],
              ['Memory', memoryWords(death)],
              ['Stalled until its end', death.stall?.summary],
            ]}
          />
          <ul class="list">
            {death.evidence.map((line) => (
              <li key={line}>{line}</li>
            ))}
            {death.unknown.map((line) => (
              <li key={line} class="dim">
                Not known: {line}
              </li>
            ))}
            {death.alerts.map(({ id, title }) => (
              <li key={id}>Open at its end: {title}</li>
            ))}
          </ul>
          {death.error !== null && <pre tabIndex={0}>{death.error.stack}</pre>}
        </div>
      </details>
      <p class="act">
        <CopyText label="Copy as text" text={() => deathAsText(death)} />
      </p>
    </li>
  );
}
