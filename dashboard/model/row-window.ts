/** Rows read above and below those in sight, so that a short scroll shows no gap. */
const spareRows = 40;

/** Which rows of a long list are to be drawn. */
export function windowOf(seen: { scrollPx: number; heightPx: number; rowPx: number }): {
  offset: number;
  limit: number;
} {
  const { scrollPx, heightPx, rowPx } = seen;
  const first = Math.max(0, Math.floor(scrollPx / rowPx) - spareRows);
  const last = Math.ceil((scrollPx + heightPx) / rowPx) + spareRows;
  return { offset: first, limit: last - first };
}
