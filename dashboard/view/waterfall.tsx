import { useState } from 'preact/hooks';
import type { TimelineDetail } from '../../protocol/rest/timelines.ts';
import { formatCount, formatDuration, plural } from '../format.ts';
import { kindSigns } from '../model/request-words.ts';
import { layoutWaterfall, type WaterfallBar } from '../model/waterfall-layout.ts';
import { usePage } from './page-context.ts';
import { Facts, ProblemNote } from './parts.tsx';
import { RequestCpu } from './request-cpu.tsx';
import { useFresh } from './use-fresh.ts';

/** One request: its spans nested and in time, with what else happened on the same axis. */
export function Waterfall({ traceId }: { traceId: string }) {
  const { api } = usePage();
  const { value, problem } = useFresh({ key: traceId, tick: null, read: (signal) => api.timeline(traceId, signal) });
  if (problem !== null) return <ProblemNote problem={problem} />;
  return value === null ? <p class="hint">Reading…</p> : <Drawn detail={value} />;
}

function Drawn({ detail }: { detail: TimelineDetail }) {
  const [openId, setOpenId] = useState<string | null>(null);
  const { bars, bands, ticks, omitted } = layoutWaterfall(detail);
  const notes = [
    detail.isWhole ? null : 'Its first span did not come: sampled away, lost, or still open.',
    omitted + detail.droppedSpans > 0
      ? `${formatCount(omitted + detail.droppedSpans)} further spans are not shown.`
      : null,
    detail.hiddenSpans > 0 ? `${plural(detail.hiddenSpans, 'double')} of the framework left out.` : null,
  ].filter((note) => note !== null);
  return (
    <div class="waterfall">
      <Facts
        rows={[
          ['Time', detail.summary],
          ['Trace', <code>{detail.traceId}</code>],
          ['Service', detail.serviceName],
          ['Spans', formatCount(detail.spans)],
        ]}
      />
      <RequestCpu cpu={detail.cpu} cpuReason={detail.cpuReason} />
      {bands.length > 0 && (
        <ul class="bands" aria-label="Meanwhile">
          {bands.map(({ kind, text, left, width }, index) => (
            <li key={index}>
              <span class="track" aria-hidden="true">
                <span class={`band ${kind}`} style={{ left: `${left * 100}%`, width: `${width * 100}%` }} />
              </span>
              <span class="band-text">{text}</span>
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
      <ol class="spans" aria-label="Spans">
        {bars.map((bar) => (
          <SpanRow
            key={bar.span.spanId}
            bar={bar}
            isOpen={bar.span.spanId === openId}
            onToggle={() => setOpenId(bar.span.spanId === openId ? null : bar.span.spanId)}
          />
        ))}
      </ol>
      {notes.length > 0 && <p class="hint">{notes.join(' ')}</p>}
    </div>
  );
}

function SpanRow({ bar, isOpen, onToggle }: { bar: WaterfallBar; isOpen: boolean; onToggle: () => void }) {
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
          <code>{span.operation}</code>
        </span>
        <span class="track" aria-hidden="true">
          <span
            class={`bar span-${span.kind}${span.failed ? ' failed' : ''}`}
            style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
          />
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
