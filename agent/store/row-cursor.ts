import { invalidParameter } from '../../protocol/rest/invalid-request.ts';

/** Where a page of rows, newest first, ended: what comes or goes elsewhere does not shift the next page. */
export function rowCursor({ atMs, id }: { readonly atMs: number; readonly id: string }): string {
  return `${atMs}_${id}`;
}

/** `[at in ms, id]`, as the rows are ordered. Throws `invalid-request` for a cursor that is none. */
export function parseRowCursor(cursor: string): [number, string] {
  const [, atMs, id] = /^(\d{1,15})_([0-9A-Za-z-]{1,64})$/.exec(cursor) ?? [];
  if (atMs === undefined || id === undefined)
    throw invalidParameter('cursor', 'must be the `nextCursor` of an earlier answer', cursor);
  return [Number(atMs), id];
}
