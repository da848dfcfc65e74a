/** One page as it is kept: `ids` ascending, `values[i]` of the series `ids[i]`. */
export interface ScrapeRow {
  /** Wall clock. */
  readonly atMs: number;
  /** Of one clock for all rows of an answer; differences are true also where the wall clock was set. */
  readonly elapsedMs: number;
  /** When the process started by its own page, in seconds; 0 when that does not say. */
  readonly startedS: number;
  readonly ids: Uint32Array;
  readonly values: Float64Array;
}

/** Values first, so that both stay aligned. */
export function packRow({ ids, values }: Pick<ScrapeRow, 'ids' | 'values'>): Uint8Array {
  const bytes = new Uint8Array(ids.length * 12);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  bytes.set(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength), values.byteLength);
  return bytes;
}

export function unpackRow(bytes: Uint8Array): Pick<ScrapeRow, 'ids' | 'values'> {
  const count = Math.floor(bytes.length / 12);
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  return {
    values: new Float64Array(aligned.buffer, aligned.byteOffset, count),
    ids: new Uint32Array(aligned.buffer, aligned.byteOffset + count * 8, count),
  };
}

/** Per id, in the order of `ids`, its value in every row, NaN where a row has none. One walk through each row: `ids` need not be in order. */
export function columnsOf(rows: readonly ScrapeRow[], ids: readonly number[]): Float64Array[] {
  const columns = ids.map(() => new Float64Array(rows.length).fill(Number.NaN));
  const wanted = ids.map((id, column) => ({ id, column })).sort((a, b) => a.id - b.id);
  for (const [index, row] of rows.entries()) {
    let at = 0;
    for (const { id, column } of wanted) {
      at = lowerBound(row.ids, id, at);
      if (row.ids[at] === id) set(columns[column], index, row.values[at]);
    }
  }
  return columns;
}

/** The process began anew between the row before and this one. Its own page says when it started, to the second. */
export function isRestart(rows: readonly ScrapeRow[], index: number): boolean {
  const [before, now] = [rows[index - 1]?.startedS ?? 0, rows[index]?.startedS ?? 0];
  return before !== 0 && now !== 0 && Math.abs(now - before) > 1.5;
}

function set(column: Float64Array | undefined, index: number, value: number | undefined): void {
  if (column !== undefined && value !== undefined) column[index] = value;
}

/** From `start` on: near ids are near each other, so it gallops before it halves. */
function lowerBound(ids: Uint32Array, id: number, start: number): number {
  let step = 1;
  let low = start;
  while ((ids[low + step] ?? Infinity) < id) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, ids.length);
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] ?? Infinity) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
