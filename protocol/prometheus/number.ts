/**
 * The value between two offsets of a line, exact; undefined when it is no number. `NaN` and infinities in any case: prom-client writes `Nan`.
 * Hexadecimal and separators are refused, as is an empty text.
 */
export function parseMetricValue(text: string, start: number, end: number): number | undefined {
  if (end - start <= 15) {
    const whole = wholeNumber(text, start, end);
    if (whole !== undefined) return whole;
  }
  const word = text.slice(start, end);
  const value = Number(word);
  if (!Number.isNaN(value)) return plain.test(word) ? value : infinities.get(word.toLowerCase());
  const lower = word.toLowerCase();
  return lower === 'nan' || lower === '+nan' || lower === '-nan' ? Number.NaN : infinities.get(lower);
}

/** What `Number` reads beside decimal numbers has other letters. */
const plain = /^[-+.\deE]+$/;
const infinities: ReadonlyMap<string, number> = new Map([
  ['inf', Infinity],
  ['+inf', Infinity],
  ['-inf', -Infinity],
  ['infinity', Infinity],
  ['+infinity', Infinity],
  ['-infinity', -Infinity],
]);

/** Most values of most pages: counts and zeros. Fifteen digits are exact. */
function wholeNumber(text: string, start: number, end: number): number | undefined {
  if (start === end) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}
