import type { StackFrame } from '../../protocol/inspector/readings.ts';
import type { PlaceRow, RawPlace } from '../../protocol/source-map/original.ts';

/** What to ask of a source map for a frame that runs: where it is, and, for its name, where its function begins. */
export function placesOfFrame(frame: StackFrame): RawPlace[] {
  const begins = functionPlace(frame);
  return begins === undefined ? [runningPlace(frame)] : [runningPlace(frame), begins];
}

/** Undefined where no source map knows the place; the name is V8's where none knows a better one. */
export function originalFrame(
  frame: StackFrame,
  rowOf: (place: RawPlace) => PlaceRow | null | undefined,
): Omit<StackFrame, 'functionPlace'> | undefined {
  const row = rowOf(runningPlace(frame));
  if (row === undefined || row === null) return undefined;
  const begins = functionPlace(frame);
  const name = begins === undefined ? undefined : rowOf(begins)?.[7];
  return { functionName: name ?? frame.functionName, url: row[4], lineNumber: row[5], columnNumber: row[6] };
}

export function placeOfRow([url, line, column, functionName]: PlaceRow): RawPlace {
  return { url, line, column, functionName };
}

/** Without a name: the place is inside the function, and the names around it are those of other things. */
function runningPlace({ url, lineNumber, columnNumber }: StackFrame): RawPlace {
  return { url, line: lineNumber, column: columnNumber, functionName: '' };
}

function functionPlace({ url, functionName, functionPlace: place }: StackFrame): RawPlace | undefined {
  return place === undefined || functionName === '' ? undefined : { url, ...place, functionName };
}
