import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target, TargetIdentity } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { formatDuration, formatElapsed, plural } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { targetStatus } from '../model/words.ts';
import { useNow } from './page-context.ts';
import { VitalsBlock } from './vitals.tsx';
import { Badge, Facts, Marked, Remedy, Time } from './parts.tsx';

export function TargetsSection(props: { state: PageState; selectedId: string | null; onSelect: (id: string) => void }) {
  const { state, selectedId, onSelect } = props;
  const nowMs = useNow(state.clockOffsetMs, 1000);
  return (
    <section id="targets" aria-labelledby="targets-title">
      <h2 id="targets-title">Targets</h2>
      {state.targets.length === 0 && (
        <p class="empty">
          No target yet: start your service with <code>node --inspect=127.0.0.1:9229 …</code> and the agent with{' '}
          <code>--target 127.0.0.1:9229</code>.
        </p>
      )}
      <div class="cards">
        {state.targets.map((target) => (
          <TargetCard
            key={target.id}
            target={target}
            vitals={state.vitals[target.id]}
            stalls={state.stalls.filter(({ targetId }) => targetId === target.id)}
            nowMs={nowMs}
            selected={target.id === selectedId}
            onSelect={state.targets.length > 1 ? () => onSelect(target.id) : undefined}
          />
        ))}
      </div>
    </section>
  );
}

function TargetCard(props: {
  target: Target;
  vitals: Vitals | undefined;
  stalls: readonly Stall[];
  nowMs: number;
  selected: boolean;
  onSelect: (() => void) | undefined;
}) {
  const { target, vitals, stalls, nowMs, selected, onSelect } = props;
  const status = targetStatus(target, nowMs);
  const { identity } = target;
  return (
    <article class={`card target ${selected && onSelect ? 'selected' : ''}`} aria-label={`Target ${target.name}`}>
      <header>
        <h3>{target.name}</h3>
        <code class="address">{target.address}</code>
        <Badge tone={status.tone}>{status.label}</Badge>
      </header>
      <p class="state">{status.sentence}</p>
      <Remedy code={status.code} />
      {identity && (
        <Facts
          rows={[
            ['Process', `pid ${identity.pid} on ${identity.hostname}`],
            ['Node', `${identity.nodeVersion.replace(/^v/, '')} (${identity.platform} ${identity.arch})`],
            ['Up', target.state.state === 'attached' ? upTime(identity, nowMs) : null],
            ['Version', identity.appVersion],
            ['Script', identity.mainScript && <code>{identity.mainScript}</code>],
            ['Agents in it', target.detectedAgents.join(', ')],
          ]}
        />
      )}
      <VitalsBlock vitals={target.state.state === 'attached' ? vitals : undefined} stalls={stalls} nowMs={nowMs} />
      {target.warnings.map((warning) => (
        <p key={warning} class="note warn">
          <strong>Warning</strong> <Marked text={warning} />
        </p>
      ))}
      <div class="more">
        {target.threads.length > 0 && <Threads target={target} />}
        {target.previous.length > 0 && <PreviousRuns target={target} nowMs={nowMs} />}
        {onSelect && (
          <button type="button" aria-pressed={selected} onClick={onSelect}>
            {selected ? 'Selected' : 'Select'}
          </button>
        )}
      </div>
    </article>
  );
}

function Threads({ target }: { target: Target }) {
  return (
    <details>
      <summary>{plural(target.threads.length, 'thread')}</summary>
      <ul class="threads">
        {target.threads.map((thread) => (
          <li key={thread.id}>
            <code>{thread.id}</code> {thread.title !== thread.id && thread.title} <span class="dim">{thread.url}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function PreviousRuns({ target, nowMs }: { target: Target; nowMs: number }) {
  return (
    <details>
      <summary>{plural(target.previous.length, 'earlier run')}</summary>
      <ul>
        {target.previous.map((run) => (
          <li key={run.identity.instanceId}>
            pid {run.identity.pid}, ended <Time iso={run.endedAt} nowMs={nowMs} /> after{' '}
            {formatDuration(Date.parse(run.endedAt) - Date.parse(run.identity.startedAt))}: {run.reason.message}
          </li>
        ))}
      </ul>
    </details>
  );
}

function upTime(identity: TargetIdentity, nowMs: number): string {
  return formatElapsed(nowMs - Date.parse(identity.startedAt));
}
