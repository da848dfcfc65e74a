import { useState } from 'preact/hooks';
import type { RuleExplanation, RuleView } from '../../protocol/rest/rules.ts';
import { plural, withLocalTimes } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { explanationSentence, ruleSentence, ruleStatus } from '../model/rule-words.ts';
import { startObstacle } from '../model/words.ts';
import { hrefTo } from './navigation.ts';
import { useAction, usePage } from './page-context.ts';
import { ActionButton, Badge, ProblemNote, Time } from './parts.tsx';
import { useFresh } from './use-fresh.ts';

/** What is set to be captured by itself: how near each rule is, why, and what it captured. */
export function RulesSection({ state, nowMs }: { state: PageState; nowMs: number }) {
  const { api } = usePage();
  const [fired, setFired] = useState(0);
  const { value, problem } = useFresh({
    key: 'rules',
    tick: `${nowMs} ${fired}`,
    read: (signal) => api.rules(undefined, signal),
  });
  const isAbsent = problem?.status === 404;
  return (
    <section id="rules" aria-labelledby="rules-title">
      <h3 id="rules-title">Rules</h3>
      {isAbsent ? <p class="empty">This agent has no rules: its version does not know them.</p> : null}
      {!isAbsent && <ProblemNote problem={problem} />}
      {value?.problems.map(({ line, message }) => (
        <p key={`${line} ${message}`} class="note bad">
          <strong>
            {value.file}:{line}
          </strong>{' '}
          {message}
        </p>
      ))}
      {value?.rules.length === 0 && (
        <p class="empty">
          No rule: with <code>rules:</code> in the configuration file{' '}
          {value.file === null ? (
            <>
              (<code>--config</code>)
            </>
          ) : (
            <code>{value.file}</code>
          )}{' '}
          a profile is taken while an incident lasts.
        </p>
      )}
      <ul class="incidents">
        {value?.rules.map((rule) => (
          <RuleCard
            key={rule.name}
            rule={rule}
            state={state}
            nowMs={nowMs}
            onFired={() => setFired((count) => count + 1)}
          />
        ))}
      </ul>
    </section>
  );
}

function RuleCard(props: { rule: RuleView; state: PageState; nowMs: number; onFired: () => void }) {
  const { rule, state, nowMs, onFired } = props;
  const { api } = usePage();
  const action = useAction();
  const [told, setTold] = useState<RuleExplanation | null>(null);
  return (
    <li class="card" aria-label={`Rule ${rule.name}`}>
      <p class="incident-head">
        <strong>{rule.name}</strong> {!rule.enabled && <Badge tone="idle">Disabled</Badge>}
      </p>
      <p>{ruleSentence(rule)}</p>
      {rule.notes.map((note) => (
        <p key={note} class="note warn">
          {note}
        </p>
      ))}
      {rule.targets.map((one) => {
        const target = state.targets.find(({ id }) => id === one.targetId);
        const [tone, word] = ruleStatus(one);
        return (
          <div key={one.targetId} class="details">
            <p class="act">
              <Badge tone={tone}>{word}</Badge>
              <span>
                {target?.name ?? one.targetId}: fired {plural(one.total, 'time')}
              </span>
              <ActionButton
                busy={action.busy}
                obstacle={startObstacle(state, target, 'capture')}
                onClick={() =>
                  action.run(async () => {
                    await api.fireRule(rule.name, one.targetId);
                    onFired();
                  })
                }
              >
                Fire now
              </ActionButton>
              <button
                type="button"
                disabled={action.busy}
                onClick={() => action.run(async () => setTold(await api.explainRule(rule.name, one.targetId)))}
              >
                Explain
              </button>
            </p>
            <ul class="list">
              {one.conditions.map(({ text, value, holds }) => (
                <li key={text}>
                  {text}
                  {value === null && ', not known yet'}: {holds ? 'holds' : 'does not hold'}
                </li>
              ))}
              {one.firings.map((firing) => (
                <li key={firing.id}>
                  <Time iso={firing.at} nowMs={nowMs} /> by {firing.by}, {firing.state}: {firing.why}{' '}
                  {firing.error?.message}
                  {firing.profileIds.map((id) => (
                    <a key={id} href={hrefTo('/captures', { profile: id })}>
                      {' '}
                      Its profile
                    </a>
                  ))}
                </li>
              ))}
            </ul>
          </div>
        );
      })}
      <ProblemNote problem={action.problem} onClose={action.clear} />
      {told !== null && <Explained told={told} nowMs={nowMs} />}
    </li>
  );
}

function Explained({ told, nowMs }: { told: RuleExplanation; nowMs: number }) {
  return (
    <div class="note" role="status">
      <p>{explanationSentence(told)}</p>
      <ul class="list">
        {told.wouldHaveFired.map(({ at, why }) => (
          <li key={at}>
            <Time iso={at} nowMs={nowMs} />: {why}
          </li>
        ))}
        {told.notes.map((note) => (
          <li key={note} class="dim">
            {withLocalTimes(note, nowMs)}
          </li>
        ))}
      </ul>
    </div>
  );
}
