import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { TimelineDetail } from '../../protocol/rest/timelines.ts';
import { formatCount, formatDuration, plural } from '../format.ts';
import { kindSigns } from '../model/request-words.ts';
import { gapsOf } from '../model/waterfall-gaps.ts';
import { layoutWaterfall, type Stretch, type WaterfallBar } from '../model/waterfall-layout.ts';
import { hrefTo } from './navigation.ts';
import { usePage } from './page-context.ts';
import { Facts, ProblemNote } from './parts.tsx';
import { RequestCpu } from './request-cpu.tsx';
import { useFresh } from './use-fresh.ts';

/** One request: its spans nested and in time, with what else happened on the same axis. */
export function Waterfall({ traceId, tick, head }: { traceId: string; tick?: unknown; head?: Head }) {
  const { api } = usePage();
  const isThere = useRef(false);
  const { value, problem } = useFresh({
    key: traceId,
    // An alert may know of a request whose spans are still on their way.
    tick: isThere.current ? null : tick,
    read: (signal) => api.timeline(traceId, signal),
  });
  isThere.current = value !== null;
  if (problem !== null) return <ProblemNote problem={problem} />;
  if (value === null) return <p class="hint">Reading…</p>;
  return (
    <>
      {head?.(value)}
      <Drawn detail={value} />
    </>
  );
}

/** What stands above it where no row of a list does. */
type Head = (detail: TimelineDetail) => ComponentChildren;

function Drawn({ detail }: { detail: TimelineDetail }) {
  const [openId, setOpenId] = useState<string | null>(null);
  const gaps = gapsOf(detail);
  const { bars, bands, ticks, omitted, gapsOfSpan, blocked } = layoutWaterfall(detail, gaps);
  const notes = [
    detail.isWhole ? null : 'Its first span did not come: sampled away, lost, or still open.',
    omitted + detail.droppedSpans > 0
      ? `${formatCount(omitted + detail.droppedSpans)} further spans are not shown.`
      : null,
    detail.hiddenSpans > 0
      ? `${plural(detail.hiddenSpans, 'span')} of the framework left out: they repeat the one around them.`
      : null,
  ].filter((note) => note !== null);
  return (
    <div class="waterfall">
      {bands.length > 0 && (
        <ul class="bands" aria-label="Meanwhile">
          {bands.map(({ kind, text, left, width }, index) => (
            <li key={index}>
              <span class="track" aria-hidden="true">
                <span class={`band ${kind}`} style={{ left: `${left * 100}%`, width: `${width * 100}%` }} />
              </span>
              <span class="band-text">
                <bdi>{text}</bdi>
              </span>
            </li>
          ))}
        </ul>
      )}
      <div class="axis" aria-hidden="true">
        <span class="ticks">
          {ticks.map(({ atMs, left }) => (
            <span key={atMs} style={{ left: `${left * 100}%` }}>
              {atMs === 0 ? '0' : formatDuration(atMs)}
            </span>
          ))}
        </span>
      </div>
      <ol class="spans" aria-label="Spans" onKeyDown={moveBetweenRows}>
        {bars.map((bar) => (
          <SpanRow
            key={bar.span.spanId}
            bar={bar}
            gaps={gapsOfSpan.get(bar.span.spanId) ?? []}
            blocked={blocked}
            isOpen={bar.span.spanId === openId}
            onToggle={() => setOpenId(bar.span.spanId === openId ? null : bar.span.spanId)}
          />
        ))}
      </ol>
      {gaps.length > 0 && (
        <section class="gaps" aria-label="Gaps">
          <p>
            <strong>Gaps</strong>, in which no span was open below:
          </p>
          <ul>
            {gaps.map(({ spanId, startMs, endMs, where, why }) => (
              <li key={`${spanId} ${startMs}`}>
                <strong>{formatDuration(endMs - startMs)}</strong> at {formatDuration(startMs)}, <bdi>{where}</bdi>:{' '}
                {why}.
              </li>
            ))}
          </ul>
        </section>
      )}
      <RequestCpu cpu={detail.cpu} cpuReason={detail.cpuReason} />
      <Facts
        rows={[
          ['Trace', <code>{detail.traceId}</code>],
          ['Service', detail.serviceName],
          ['Profiles', profileLinks(detail)],
          ['Spans', formatCount(detail.spans)],
        ]}
      />
      {notes.length > 0 && <p class="hint">{notes.join(' ')}</p>}
    </div>
  );
}

/** From span to span; Enter opens one, as of any button. */
function moveBetweenRows(event: KeyboardEvent & { readonly currentTarget: HTMLElement }): void {
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>('.span-row')];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (at === -1 || next === undefined) return;
  event.preventDefault();
  rows[next]?.focus();
}

/** Those that were taken meanwhile, each with only this request's samples. */
function profileLinks({ profiles, traceId }: TimelineDetail) {
  const cpu = profiles.filter(({ kind }) => kind === 'cpu');
  if (cpu.length === 0) return null;
  return cpu.map(({ id }, index) => (
    <a key={id} href={hrefTo(`/profile/${encodeURIComponent(id)}`, { only: `trace:${traceId}` })}>
      {index === 0 ? 'Flame graph of this request' : `and another (${index + 1})`}{' '}
    </a>
  ));
}

function SpanRow(props: {
  bar: WaterfallBar;
  gaps: readonly Stretch[];
  blocked: readonly Stretch[];
  isOpen: boolean;
  onToggle: () => void;
}) {
  const { bar, gaps, blocked, isOpen, onToggle } = props;
  const { span, left, width } = bar;
  const { word, sign } = kindSigns[span.kind];
  return (
    <li>
      <button type="button" class="span-row" aria-expanded={isOpen} onClick={onToggle}>
        <span class="span-name" style={{ paddingInlineStart: `${Math.min(span.depth, 12) * 14}px` }}>
          <span class={`sign text-${span.kind}`} aria-hidden="true">
            {sign}
          </span>{' '}
          <span class="kind-word">{word}</span> {span.failed && <strong class="bad-text">failed </strong>}
          <code>
            <bdi>{span.operation}</bdi>
          </code>
        </span>
        <span class="track" aria-hidden="true">
          <span
            class={`bar span-${span.kind}${span.failed ? ' failed' : ''}`}
            style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
          />
          {gaps.map((gap) => (
            <span key={gap.left} class="gap" style={{ left: `${gap.left * 100}%`, width: `${gap.width * 100}%` }} />
          ))}
          {blocked.map((stall) => (
            <span
              key={stall.left}
              class="blocked"
              style={{ left: `${stall.left * 100}%`, width: `${stall.width * 100}%` }}
            />
          ))}
        </span>
        <span class="num">{formatDuration(span.durationMs)}</span>
        <span class="num dim">self {formatDuration(span.selfMs)}</span>
      </button>
      {isOpen && <SpanDetails bar={bar} />}
    </li>
  );
}

function SpanDetails({ bar: { span } }: { bar: WaterfallBar }) {
  return (
    <div class="span-details">
      {span.statement !== null && (
        <p>
          <code>{span.statement}</code>
        </p>
      )}
      {span.errors.map(({ type, message, stack }, index) => (
        <div key={index} class="note bad">
          <p>
            <strong>{type ?? 'Error'}</strong> {message}
          </p>
          {stack !== null && <pre>{stack}</pre>}
        </div>
      ))}
      <Facts
        rows={[
          ['Name', span.name],
          ['Status', span.status],
          ['Starts at', formatDuration(span.offsetMs)],
          ['From', span.scope],
          ...Object.entries(span.attributes).map(([name, value]) => [name, String(value)] as const),
        ]}
      />
    </div>
  );
}
