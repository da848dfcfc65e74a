/**
 * A function's name stands before its parameters (`function t(`, `t=(e)=>`, `t:async function(`), and V8 says where those begin; or, of a
 * frame that runs, where the `function` before the name does. How far from there it is looked for, in characters of the generated text.
 */
export const nameReach = { after: 200, before: 48 } as const;

/**
 * How far the named text at `column` is from the function at `place`, lower is likelier; Infinity when it is not that function's name. A map
 * names parameters and variables too, so the text there has to be what V8 calls the function.
 */
export function nameDistance(
  text: string,
  { column, place, functionName }: { column: number; place: number; functionName: string },
): number {
  const short = functionName.slice(functionName.lastIndexOf('.') + 1);
  if (short === '' || !text.startsWith(short, column) || isPartOfName(text, column + short.length)) return Infinity;
  if (column < place) return leadsToFunction.test(text.slice(column + short.length, place)) ? place - column : Infinity;
  // `t=>…`: a parameter, of whatever name.
  if (column === place) return /^\s*=>/.test(text.slice(place + short.length, place + short.length + 8)) ? Infinity : 0;
  // Behind the place only where the place is that of the word before the name.
  return /^(async\s+)?(function|class)\b[\s*]*$/.test(text.slice(place, column)) ? 0 : Infinity;
}

/** What may stand between the name and where the function begins: nothing, `=`, `:async function*`, or the body of its class up to `constructor`. */
const leadsToFunction = /^\s*([=:]\s*)?(async\s*)?(function\b[\s*]*)?$|\bconstructor\s*$/;

function isPartOfName(text: string, at: number): boolean {
  return /[\p{ID_Continue}$]/u.test(text.charAt(at));
}
