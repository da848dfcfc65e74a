import type { Stall, StallFrame } from '../../protocol/rest/stalls.ts';

/** A stall in one sentence, by the places of the source where they are known. */
export function summaryOf(stall: Pick<Stall, 'kind' | 'thread' | 'durationMs' | 'verdict' | 'dominant'>): string {
  const { kind, thread, durationMs, verdict, dominant } = stall;
  const seconds = `${(durationMs / 1000).toFixed(1)} s`;
  const place = dominant === null ? '' : placeText(dominant);
  if (verdict === 'stopped') return `the process was stopped by a signal for ${seconds}`;
  const where = thread === 'main' ? '' : ` in ${thread}`;
  if (verdict === 'native') {
    const work = `${seconds} of native work${where}`;
    if (place === '') return `${work}, and nothing told where`;
    return dominant?.from === 'cpu-profile' ? `${work}, most of it in ${place}` : `${work}, in or just before ${place}`;
  }
  const what =
    kind === 'saturated'
      ? `no idle time for ${seconds}`
      : thread === 'main'
        ? `the event loop was blocked for ${seconds}`
        : `the event loop of ${thread} was blocked for ${seconds}`;
  return place === '' ? `${what}; nothing told by what` : `${what}, most of it in ${place}`;
}

/** `spinUntil (server.ts:12)` */
export function placeText({ original, ...raw }: StallFrame): string {
  const { functionName, url, lineNumber } = original ?? raw;
  return `${functionName || '(anonymous)'} (${url.split('/').at(-1)}:${lineNumber})`;
}
