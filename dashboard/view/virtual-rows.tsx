import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { windowOf } from '../model/row-window.ts';

/**
 * A table of any length: only the rows in sight are in the document, and are asked for by `read` when they come into it. `listKey` names the list; with
 * another one it starts anew. Rows are all `rowPx` high.
 */
export function VirtualRows<Row>(props: {
  label: string;
  listKey: string;
  rowPx: number;
  head: ComponentChildren;
  empty: string;
  read: (offset: number, limit: number) => Promise<{ total: number; rows: readonly Row[] }>;
  row: (row: Row) => ComponentChildren;
  keyOf: (row: Row) => string;
}) {
  const { label, listKey, rowPx, head, empty, read, row, keyOf } = props;
  const box = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState<Shown<Row> | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const asked = useRef({ key: '', number: 0 });

  const load = (key: string): void => {
    const { scrollTop = 0, clientHeight = 600 } = box.current ?? {};
    const { offset, limit } = windowOf({ scrollPx: scrollTop, heightPx: clientHeight, rowPx });
    const number = ++asked.current.number;
    asked.current.key = key;
    read(offset, limit).then(
      ({ total, rows }) => {
        if (number !== asked.current.number) return;
        setFailure(null);
        setShown({ key, offset, total, rows });
      },
      (error: unknown) => {
        if (number === asked.current.number) setFailure(error instanceof Error ? error.message : String(error));
      },
    );
  };
  useEffect(() => {
    box.current?.scrollTo(0, 0);
    load(listKey);
  }, [listKey]);
  const onScroll = (): void => {
    const { scrollTop = 0, clientHeight = 0 } = box.current ?? {};
    const first = Math.floor(scrollTop / rowPx);
    const last = Math.ceil((scrollTop + clientHeight) / rowPx);
    const isThere =
      shown !== null && first >= shown.offset && Math.min(last, shown.total) <= shown.offset + shown.rows.length;
    if (!isThere) load(listKey);
  };

  const current = shown?.key === listKey ? shown : null;
  return (
    <div
      class="virtual"
      role="table"
      aria-label={label}
      aria-rowcount={(current?.total ?? 0) + 1}
      aria-busy={current === null}
    >
      <div role="rowgroup">{head}</div>
      {failure !== null && (
        <p class="note bad" role="alert">
          {failure}
        </p>
      )}
      <div
        class="virtual-body"
        role="rowgroup"
        ref={box}
        onScroll={onScroll}
        tabIndex={0}
        aria-label={`${label}, rows`}
        // A short list leaves no empty box; the last one's length until the next is there.
        style={{ maxHeight: shown === null ? undefined : `${Math.max(shown.total, rowsMin) * rowPx}px` }}
      >
        {current?.total === 0 && (
          <div role="row">
            <div role="cell" class="hint">
              {empty}
            </div>
          </div>
        )}
        <div class="virtual-space" role="none" style={{ height: `${(current?.total ?? 0) * rowPx}px` }}>
          {current?.rows.map((value, index) => (
            <div
              key={keyOf(value)}
              class="virtual-row"
              role="row"
              aria-rowindex={current.offset + index + 2}
              style={{ top: `${(current.offset + index) * rowPx}px`, height: `${rowPx}px` }}
            >
              {row(value)}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

const rowsMin = 3;

interface Shown<Row> {
  readonly key: string;
  readonly offset: number;
  readonly total: number;
  readonly rows: readonly Row[];
}
