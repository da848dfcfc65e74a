import { useState } from 'preact/hooks';
import type { Stall } from '../../protocol/rest/stalls.ts';
import { formatDuration, formatShare } from '../format.ts';
import { readStalls } from '../memory-api.ts';
import type { PageState } from '../model/page-state.ts';
import { frameText, stallText, treeRows } from '../model/stack-words.ts';
import { CopyText } from './copy-text.tsx';
import { setQuery } from './navigation.ts';
import { NotListed } from './not-listed.tsx';
import { useAction, usePage } from './page-context.ts';
import { Badge, Facts, ProblemNote, Time } from './parts.tsx';
import { TraceLink } from './trace-link.tsx';
import { useFresh } from './use-fresh.ts';
import { useIntoSight } from './use-into-sight.ts';

/** The blocks that the stall watch saw, newest first, each with its merged stacks. */
export function StallRecords(props: {
  state: PageState;
  targetId: string | undefined;
  nowMs: number;
  openId: string | undefined;
}) {
  const { state, targetId, nowMs, openId } = props;
  const { api } = usePage();
  const action = useAction();
  const [more, setMore] = useState<{ key: string; stalls: readonly Stall[]; nextCursor: string | null } | null>(null);
  const key = `stalls ${targetId ?? ''}`;
  const { value, problem } = useFresh({
    key,
    tick: state.stalls,
    read: (signal) => readStalls(api, { target: targetId }, signal),
  });
  const first = value?.stalls ?? [];
  const known = new Set(first.map(({ id }) => id));
  const older = more?.key === key ? more.stalls.filter(({ id }) => !known.has(id)) : [];
  const cursor = more?.key === key ? more.nextCursor : (value?.nextCursor ?? null);
  const readMore = (): void =>
    action.run(async () => {
      const page = await readStalls(
        api,
        { target: targetId, cursor: cursor ?? undefined },
        new AbortController().signal,
      );
      setMore({ key, stalls: [...older, ...page.stalls], nextCursor: page.nextCursor });
    });
  return (
    <section id="stalls" aria-labelledby="stalls-title">
      <h2 id="stalls-title">Stalls</h2>
      <ProblemNote problem={problem ?? action.problem} />
      <NotListed what="stall" id={openId} among={value === null ? undefined : [...first, ...older]} />
      {value !== null && first.length === 0 && (
        <p class="empty">
          No event loop was blocked for longer than the threshold (<code>--stall-threshold</code>).
        </p>
      )}
      <ul class="stall-list">
        {[...first, ...older].map((stall) => (
          <Record key={stall.id} stall={stall} isOpen={stall.id === openId} nowMs={nowMs} />
        ))}
      </ul>
      {cursor !== null && (
        <p class="act pager">
          <button type="button" disabled={action.busy} onClick={readMore}>
            Older stalls
          </button>
        </p>
      )}
    </section>
  );
}

function Record({ stall, isOpen, nowMs }: { stall: Stall; isOpen: boolean; nowMs: number }) {
  const card = useIntoSight<HTMLLIElement>(isOpen, 'nearest');
  return (
    <li ref={card} class="card">
      <header>
        <h3 class="told">
          <bdi>{stall.summary}</bdi>
        </h3>
        <span class="dim">
          {stall.thread}, <Time iso={stall.startedAt} nowMs={nowMs} />
        </span>
        <Badge tone={stall.state === 'ongoing' ? 'bad' : 'idle'}>
          {stall.state === 'ongoing' ? 'Goes on' : formatDuration(stall.durationMs)}
        </Badge>
      </header>
      <details
        open={isOpen}
        onToggle={(event) => {
          const { open } = event.currentTarget;
          if (open !== isOpen) setQuery({ stall: open ? stall.id : null });
        }}
      >
        <summary>Merged stacks and facts</summary>
        {isOpen && <Details stall={stall} />}
      </details>
    </li>
  );
}

const verdictWords = {
  javascript: 'JavaScript',
  native: 'native work',
  stopped: 'nothing: stopped by a signal',
  starved: 'nothing: it waited for a CPU',
  unknown: 'not known',
} as const satisfies Record<Stall['verdict'], string>;

function Details({ stall }: { stall: Stall }) {
  const { samples, span } = stall;
  return (
    <div class="details">
      <Facts
        rows={[
          ['Kind', stall.kind],
          ['Time went to', verdictWords[stall.verdict]],
          ['Lasted', formatDuration(stall.durationMs)],
          ['Samples', `${samples.running} of ${samples.asked} answered with a stack`],
          ['Longest answer', formatDuration(samples.longestAnswerMs)],
          ['Garbage collection', stall.gcMs === null ? null : formatDuration(stall.gcMs)],
          ['Throttled', stall.throttledMs === null ? null : formatDuration(stall.throttledMs)],
          ['Waited for a CPU', stall.waitedMs === null ? null : formatDuration(stall.waitedMs)],
          ['Request', span && <bdi key="span">{`${span.route ?? span.name} (${formatShare(span.share)})`}</bdi>],
          ['Trace', span && <TraceLink key="trace" traceId={span.traceId} />],
        ]}
      />
      {stall.tree.length === 0 ? (
        <p class="hint">No stack could be had.</p>
      ) : (
        <ol class="stall-tree" aria-label="Merged stacks, callers first">
          {treeRows(stall.tree).map(({ frame, depth, share }, index) => {
            const { name, place } = frameText(frame);
            return (
              <li key={index} style={{ paddingLeft: `${depth * 12}px` }}>
                <span class="num">{formatShare(share)}</span>{' '}
                <code>
                  <bdi>{name}</bdi>
                </code>{' '}
                <span class="dim">
                  <bdi>{place}</bdi>
                </span>
                {frame.self > 0 && <span class="dim"> ({frame.self} on top)</span>}
              </li>
            );
          })}
        </ol>
      )}
      <p class="act">
        <CopyText label="Copy as text" text={() => stallText(stall)} />
      </p>
    </div>
  );
}
