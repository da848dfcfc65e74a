import type { Span } from './model.ts';

const thresholdDigits = 14;

/**
 * The share of traces that the sender keeps, as it says in `tracestate`: `ot=th:8` is a half (consistent sampling, `th` rejects what is below it), `p:3` the
 * older way to say an eighth. Undefined when it says nothing.
 */
export function sampledShare({ traceState }: Pick<Span, 'traceState'>): number | undefined {
  if (traceState === '') return undefined;
  const vendor = /(?:^|,)\s*ot=([^,]*)/.exec(traceState)?.[1];
  if (vendor === undefined) return undefined;
  for (const field of vendor.split(';')) {
    const threshold = /^th:([0-9a-f]{1,14})$/.exec(field)?.[1];
    if (threshold !== undefined) return shareOfThreshold(threshold);
    const power = /^p:(\d{1,2})$/.exec(field)?.[1];
    if (power !== undefined && Number(power) <= 62) return 2 ** -Number(power);
  }
  return undefined;
}

/** Hex digits of 56 bits, trailing zeros left out. */
function shareOfThreshold(digits: string): number {
  return 1 - Number.parseInt(digits.padEnd(thresholdDigits, '0'), 16) / 2 ** (4 * thresholdDigits);
}
