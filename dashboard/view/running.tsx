import { useState } from 'preact/hooks';
import type { Operation } from '../../protocol/rest/operation.ts';
import { isEndedState } from '../../protocol/rest/operation.ts';
import { formatBytes, formatClock, formatDuration } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { kindWords, operationStatus } from '../model/words.ts';
import { useAction, useNow, usePage } from './page-context.ts';
import { Badge, ProblemNote, Remedy, Time } from './parts.tsx';

const endedShown = 4;
const successShownMs = 15_000;
const failureShownMs = 600_000;

/** What runs and waits, then how the last few ended. Successes leave soon: their profile is in the list below. */
export function Running({ state }: { state: PageState }) {
  const nowMs = useNow(state.clockOffsetMs, 500);
  const [dismissed, setDismissed] = useState<ReadonlySet<string>>(new Set());
  const active = state.operations.filter((operation) => !isEndedState(operation.state));
  const ended = state.operations
    .filter((operation) => isEndedState(operation.state) && !dismissed.has(operation.id))
    .filter((operation) => isRecent(operation, nowMs))
    .slice(0, endedShown);
  if (active.length === 0 && ended.length === 0) return null;
  return (
    <div class="running" id="running" role="region" aria-labelledby="running-title">
      <h3 id="running-title">{active.length > 0 ? `Running (${active.length})` : 'Ended lately'}</h3>
      <ul class="operations">
        {[...active.toReversed(), ...ended].map((operation) => (
          <OperationRow
            key={operation.id}
            operation={operation}
            targetName={state.targets.find((target) => target.id === operation.targetId)?.name ?? operation.targetId}
            nowMs={nowMs}
            onDismiss={() => setDismissed(new Set([...dismissed, operation.id]))}
          />
        ))}
      </ul>
    </div>
  );
}

function OperationRow(props: { operation: Operation; targetName: string; nowMs: number; onDismiss: () => void }) {
  const { operation, targetName, nowMs, onDismiss } = props;
  const status = operationStatus(operation);
  const ended = isEndedState(operation.state);
  return (
    <li class={`card operation ${operation.state}`} aria-label={`${kindWords[operation.kind]} of ${targetName}`}>
      <div class="what">
        <strong>{kindWords[operation.kind]}</strong> of {targetName}, {threadWords(operation.thread)}{' '}
        <Badge tone={status.tone}>{status.label}</Badge>
        <span class="dim">
          by {operation.startedBy}, <Time iso={operation.startedAt ?? operation.createdAt} nowMs={nowMs} />
        </span>
      </div>
      <p class="state">{status.sentence}</p>
      {operation.state === 'running' && <Progress operation={operation} nowMs={nowMs} />}
      {operation.state !== 'succeeded' && <Remedy code={operation.state === 'cancelled' ? null : status.code} />}
      {operation.warnings.map((warning) => (
        <p key={warning} class="note warn">
          {warning}
        </p>
      ))}
      <div class="act">
        {ended ? (
          <>
            {operation.profileIds.length > 0 && (
              <a href={`#profile-${operation.profileIds[0] ?? ''}`}>Show the profile</a>
            )}
            <button type="button" class="quiet" onClick={onDismiss}>
              Dismiss
            </button>
          </>
        ) : (
          <EndButtons operation={operation} />
        )}
      </div>
    </li>
  );
}

function Progress({ operation, nowMs }: { operation: Operation; nowMs: number }) {
  const { fraction, bytes, phase } = operation.progress;
  const elapsedMs = operation.startedAt === null ? 0 : Math.max(0, nowMs - Date.parse(operation.startedAt));
  const { durationMs } = operation.parameters;
  const leftMs = durationMs === undefined ? null : durationMs - elapsedMs;
  return (
    <div class="progress">
      <progress aria-label={phase} max={1} {...(fraction === null ? {} : { value: fraction })} />
      <span>
        {formatClock(elapsedMs)}
        {durationMs !== undefined && ` of ${formatDuration(durationMs)}`}
        {leftMs !== null && leftMs > 0 && `, ${formatClock(leftMs + 999)} left`}
        {bytes > 0 && `, ${formatBytes(bytes)} received`}
      </span>
    </div>
  );
}

function EndButtons({ operation }: { operation: Operation }) {
  const { api, store } = usePage();
  const action = useAction();
  const end = (request: () => Promise<Operation>): void =>
    action.run(async () => store.apply({ type: 'operation', operation: await request() }));
  const snapshot = operation.kind === 'heap-snapshot';
  return (
    <>
      {operation.kind === 'cpu' && operation.state === 'running' && (
        <button type="button" disabled={action.busy} onClick={() => end(() => api.stopCpu(operation.targetId))}>
          Stop and keep
        </button>
      )}
      <button
        type="button"
        disabled={action.busy}
        onClick={() => end(() => api.cancel(operation.id))}
        title={snapshot ? 'Gives the file up. V8 cannot be stopped: the pause of the target goes on.' : undefined}
      >
        {snapshot && operation.state === 'running' ? 'Abandon the file' : 'Cancel'}
      </button>
      <ProblemNote problem={action.problem} onClose={action.clear} />
    </>
  );
}

function threadWords(thread: string): string {
  if (thread === 'main') return 'main thread';
  return thread === 'all' ? 'all threads' : thread;
}

function isRecent(operation: Operation, nowMs: number): boolean {
  const shownMs = operation.state === 'succeeded' ? successShownMs : failureShownMs;
  return operation.endedAt !== null && nowMs - Date.parse(operation.endedAt) < shownMs;
}
