import '../style/memory.css';
import { useEffect, useState } from 'preact/hooks';
import type { Stacks, ThreadStack } from '../../protocol/rest/stacks.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { plural } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { readStacks } from '../memory-api.ts';
import { stacksText, threadStates } from '../model/stack-words.ts';
import { CopyText } from './copy-text.tsx';
import { useAction, useNow, usePage } from './page-context.ts';
import { Badge, ProblemNote, Time } from './parts.tsx';
import { StackFrames } from './stack-frames.tsx';
import { StallRecords } from './stall-records.tsx';
import { TraceLink } from './trace-link.tsx';
import type { ViewProps } from './view-props.ts';

export function View({ state, target, address }: ViewProps) {
  const nowMs = useNow(state.clockOffsetMs, 5_000);
  return (
    <>
      {target === undefined ? (
        <p class="empty">No target yet: its stacks are shown here as soon as there is one.</p>
      ) : (
        <LiveStacks key={target.id} target={target} nowMs={nowMs} mayRead={mayCapture(state)} />
      )}
      <StallRecords state={state} targetId={target?.id} nowMs={nowMs} openId={address.query['stall']} />
    </>
  );
}

/** True as long as it is not known: the agent has the last word. */
function mayCapture({ info }: PageState): boolean {
  return info === null || info.you.scopes.some((scope) => scope === 'capture' || scope === 'admin');
}

function LiveStacks({ target, nowMs, mayRead }: { target: Target; nowMs: number; mayRead: boolean }) {
  const { api } = usePage();
  const action = useAction();
  const [stacks, setStacks] = useState<Stacks | null>(null);
  const [isFollowing, setFollowing] = useState(false);
  const isAttached = target.state.state === 'attached';
  const isReadable = isAttached && mayRead;
  const refresh = (): void => action.run(async () => setStacks(await readStacks(api, target.id)));
  useEffect(() => {
    if (isReadable) refresh();
  }, [isReadable]);
  useEffect(() => {
    if (!isFollowing || !isReadable || action.busy) return;
    const timer = setTimeout(refresh, followEveryMs);
    return () => clearTimeout(timer);
  }, [isFollowing, isReadable, action.busy]);
  return (
    <section aria-labelledby="now-title">
      <div class="title">
        <h2 id="now-title">All threads now</h2>
        <button type="button" class="primary" disabled={!isReadable || action.busy} onClick={refresh}>
          Refresh
        </button>
        <label class="choice-line">
          <input
            type="checkbox"
            checked={isFollowing}
            onChange={(event) => setFollowing(event.currentTarget.checked)}
          />{' '}
          every 2 s
        </label>
        {stacks && <CopyText label="Copy as text" text={() => stacksText(stacks)} />}
        {stacks && (
          <span class="dim" role="status">
            taken <Time iso={stacks.takenAt} nowMs={nowMs} />
          </span>
        )}
      </div>
      {!mayRead && (
        <p class="empty">Your token lacks the scope “capture”: stacks are read from the process at each look.</p>
      )}
      {!isAttached && (
        <p class="note warn">The target is not attached{stacks === null ? '' : ': these are its last stacks'}.</p>
      )}
      <ProblemNote problem={action.problem} onClose={action.clear} />
      <ul class="cards two">
        {stacks?.threads.map((thread) => (
          <Thread key={thread.thread} thread={thread} />
        ))}
      </ul>
      {stacks !== null && stacks.omittedThreads > 0 && (
        <p class="hint">{plural(stacks.omittedThreads, 'more thread')} not shown.</p>
      )}
      {stacks?.warnings?.map((warning) => (
        <p key={warning} class="hint">
          {warning}
        </p>
      ))}
    </section>
  );
}

/** A reading costs each thread about a millisecond. */
const followEveryMs = 2_000;

function Thread({ thread }: { thread: ThreadStack }) {
  const [tone, word] = threadStates[thread.state];
  return (
    <li class="card" aria-label={`Thread ${thread.thread}`}>
      <header>
        <h3>{thread.thread}</h3>
        <span class="dim">
          <bdi>{thread.title === thread.thread ? '' : thread.title}</bdi>
        </span>
        <Badge tone={tone}>{word}</Badge>
      </header>
      <p class="state told">
        <bdi>{thread.summary}</bdi>
      </p>
      {thread.span && (
        <p>
          in <bdi>{thread.span.route ?? thread.span.name}</bdi>, trace <TraceLink traceId={thread.span.traceId} />
        </p>
      )}
      {thread.error && <p class="note warn">{thread.error.message}</p>}
      {thread.state !== 'idle' && <StackFrames frames={thread.frames} />}
      {thread.hasMore && <p class="hint">and callers beyond these</p>}
    </li>
  );
}
