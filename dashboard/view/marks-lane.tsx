import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Mark, MarkGroup } from '../model/marks.ts';
import { layoutMarks, markKinds } from '../model/marks.ts';
import type { TimeRange } from '../model/time-range.ts';
import { hrefTo } from './navigation.ts';
import { Time } from './parts.tsx';

/** A sign that a finger can meet, and a little air. */
const signPx = 26;
/** Beside each other, one with the number of its marks may be so wide. */
const numberedSignPx = 36;
const listed = 30;

/** Above the charts, on their time axis: one sign for each thing that happened; the same as a list for who prefers to read. */
export function MarksLane({ marks, range, nowMs }: { marks: readonly Mark[]; range: TimeRange; nowMs: number }) {
  const { fromMs, toMs } = range;
  const { box, widthPx } = useWidth();
  const groups = layoutMarks(marks, { fromMs, toMs, leastGap: numberedSignPx / widthPx });
  const rows = Math.max(1, ...groups.map(({ row }) => row + 1));
  const shown = marks.filter(({ atMs, toMs: endMs }) => endMs >= fromMs && atMs <= toMs);
  return (
    <>
      <div ref={box} class="marks" aria-label="What happened" role="group" style={{ height: `${rows * signPx}px` }}>
        {groups.map((group) => (
          <Sign key={`${group.kind}-${group.marks[0]?.id ?? ''}`} group={group} />
        ))}
      </div>
      <details class="moments">
        <summary>What happened: {shown.length === 0 ? 'nothing' : shown.length} in this time</summary>
        <ul>
          {shown.slice(0, listed).map((mark) => (
            <li key={mark.id}>
              <Time iso={new Date(mark.atMs).toISOString()} nowMs={nowMs} />{' '}
              <span class={`mark-sign ${mark.kind}`} aria-hidden="true">
                {markKinds[mark.kind].sign}
              </span>{' '}
              <a href={hrefTo(mark.path, mark.query)}>
                {markKinds[mark.kind].word}: {cut(mark.text)}
              </a>
            </li>
          ))}
          {shown.length > listed && <li class="dim">and {shown.length - listed} before them: zoom in</li>}
        </ul>
      </details>
    </>
  );
}

function Sign({ group }: { group: MarkGroup }) {
  const [newest] = group.marks;
  if (newest === undefined) return null;
  const { word, sign } = markKinds[group.kind];
  const more = group.marks.length > 1 ? ` and ${group.marks.length - 1} more` : '';
  const text = `${word}: ${cut(newest.text)}${more}`;
  return (
    <a
      class={`mark-sign ${group.kind}`}
      style={{ left: `${group.left * 100}%`, bottom: `${group.row * signPx}px` }}
      href={hrefTo(newest.path, newest.query)}
      title={text}
      aria-label={text}
    >
      {sign}
      {group.marks.length > 1 && <sub>{group.marks.length}</sub>}
    </a>
  );
}

function useWidth(): { box: RefObject<HTMLDivElement | null>; widthPx: number } {
  const box = useRef<HTMLDivElement>(null);
  const [widthPx, setWidthPx] = useState(1_000);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidthPx(Math.max(1, element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { box, widthPx };
}

/** Names come from the target and may be 10 kB long. */
function cut(text: string): string {
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
