import type { Alert } from '../../protocol/rest/alerts.ts';
import { plural } from '../format.ts';
import { alertAsText, alertState, alertTone, factWords, problemWords } from '../model/incident-words.ts';
import { CatchForm } from './catch-form.tsx';
import { CopyText } from './copy-text.tsx';
import { DeathsSection } from './deaths-section.tsx';
import { hrefTo } from './navigation.ts';
import { NotListed } from './not-listed.tsx';
import { useNow, usePage } from './page-context.ts';
import { Badge, Facts, ProblemNote, Time } from './parts.tsx';
import { RulesSection } from './rules-section.tsx';
import { useFresh } from './use-fresh.ts';
import { useIntoSight } from './use-into-sight.ts';
import type { ViewProps } from './view-props.ts';
import '../style/incidents.css';

/** What was reported as a problem, how processes ended, and what is set to watch for more. */
export function View({ state, target, address }: ViewProps) {
  const nowMs = useNow(state.clockOffsetMs, 5_000);
  const { api } = usePage();
  const { value, problem } = useFresh({
    key: 'alerts',
    tick: state.alerts,
    read: (signal) => api.alerts({ limit: 20, evidence: true }, signal),
  });
  return (
    <>
      <section id="alerts" aria-labelledby="alerts-title">
        <h3 id="alerts-title">Alerts</h3>
        <ProblemNote problem={problem} />
        {value === null && problem === null && <p class="hint">Reading…</p>}
        <NotListed what="alert" id={address.query['alert']} among={value?.alerts} />
        {value?.alerts.length === 0 && <p class="empty">No alert: nothing was reported as a problem.</p>}
        <ul class="incidents">
          {value?.alerts.toSorted(openFirst).map((alert) => (
            <AlertCard key={alert.id} alert={alert} nowMs={nowMs} isNamed={alert.id === address.query['alert']} />
          ))}
        </ul>
        {value !== null && value.nextCursor !== null && (
          <p class="hint">The newest {value.alerts.length} are shown; GET /alerts has those before them.</p>
        )}
      </section>
      <DeathsSection state={state} named={address.query['death']} nowMs={nowMs} />
      <RulesSection state={state} nowMs={nowMs} />
      {target !== undefined && <CatchForm state={state} target={target} />}
    </>
  );
}

/** What goes on may have begun long before what is over. */
function openFirst(a: Alert, b: Alert): number {
  return Number(b.state === 'open') - Number(a.state === 'open');
}

const ways: Readonly<Partial<Record<Alert['problem'], readonly [path: string, words: string]>>> = {
  stall: ['/stacks', 'Stalls'],
  regression: ['/regressions', 'Before and after'],
  'memory-leak': ['/memory', 'Its memory'],
  'memory-limit': ['/memory', 'Its memory'],
};

/** Where more of its kind is told than an alert has room for. */
function ProblemWay({ problem, targetId }: Pick<Alert, 'problem' | 'targetId'>) {
  const way = ways[problem];
  return way === undefined ? null : <a href={hrefTo(way[0], { target: targetId })}>{way[1]}</a>;
}

function AlertCard({ alert, nowMs, isNamed }: { alert: Alert; nowMs: number; isNamed: boolean }) {
  const card = useIntoSight<HTMLLIElement>(isNamed);
  const facts = Object.entries(alert.facts).map(([name, value]) => factWords(name, value));
  return (
    <li ref={card} class={`card ${isNamed ? 'selected' : ''}`} aria-label={alert.title.slice(0, 200)}>
      <p class="incident-head">
        <Badge tone={alertTone(alert)}>{alertState(alert)}</Badge> <strong>{problemWords[alert.problem]}</strong>
        <span class="dim">
          since <Time iso={alert.openedAt} nowMs={nowMs} />, last <Time iso={alert.updatedAt} nowMs={nowMs} />
        </span>
      </p>
      <p class="incident-title">{alert.title}</p>
      {alert.text !== null && <p class="prose">{alert.text}</p>}
      <details open={isNamed}>
        <summary>
          Evidence: {plural(facts.length, 'fact')}, {plural(alert.evidence.length, 'text')}
        </summary>
        <div class="details">
          <Facts rows={[...facts, ['Reports', String(alert.reports)], ['Closed because', alert.closeReason]]} />
          {alert.evidence.map(({ name, text }) => (
            <figure key={name} class="evidence">
              <figcaption>{name}</figcaption>
              <pre tabIndex={0}>{text}</pre>
            </figure>
          ))}
        </div>
      </details>
      <p class="act">
        {alert.profileIds.map((id) => (
          <a key={id} href={hrefTo('/captures', { profile: id })}>
            What was captured
          </a>
        ))}
        <ProblemWay problem={alert.problem} targetId={alert.targetId} />
        {alert.traceId !== null && <a href={hrefTo('/requests', { trace: alert.traceId })}>Its request</a>}
        <CopyText label="Copy as text" text={() => alertAsText(alert)} />
      </p>
    </li>
  );
}
