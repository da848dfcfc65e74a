import type { Stall, StallFrame } from '../../protocol/rest/stalls.ts';

/** A stall in one sentence, by the places of the source where they are known. */
export function summaryOf(
  stall: Pick<Stall, 'kind' | 'thread' | 'durationMs' | 'verdict' | 'dominant' | 'waitedMs'>,
): string {
  const { durationMs, verdict, waitedMs } = stall;
  const waited = `${((waitedMs ?? 0) / 1000).toFixed(1)} s of it waiting for a CPU`;
  if (verdict === 'starved') {
    const late = stall.kind === 'saturated' ? 'no idle time for' : 'the event loop was late by';
    const rest = stall.dominant === null ? '' : `; what it ran was mostly ${placeText(stall.dominant)}`;
    return `${late} ${(durationMs / 1000).toFixed(1)} s, ${waited}${rest}`;
  }
  const text = workOf(stall);
  return (waitedMs ?? 0) >= durationMs * notableShare ? `${text}; ${waited}` : text;
}

/** Of a stall: below it the wait for a CPU is not worth a word. */
const notableShare = 0.25;

function workOf(stall: Pick<Stall, 'kind' | 'thread' | 'durationMs' | 'verdict' | 'dominant'>): string {
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
