import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { spanExpression } from '../../protocol/inspector/expressions.ts';
import { decodeSpanReading, type SpanReading } from '../../protocol/inspector/span-reading.ts';
import type { Attachment } from '../attach/attachment.ts';
import type { Session } from '../attach/session.ts';

/** Two nearer ones would say the same; pairs at all distances from here on tell for how long one reading holds. */
const gapMinMs = 2;
/** A native call is not interrupted; then the answer comes at its end. */
const answerTimeoutMs = 2_000;
/** Without the API there is nothing to read, until the application loads it. */
const noApiGapMs = 2_000;
/** Of one core: what the readings may take of the target by their own measure, over the last of them. */
const shareMax = 0.01;
const costlyUs = 5_000;
const recentReadings = 20;

export interface SpanReaderOptions {
  readonly attachment: Pick<Attachment, 'isExiting'>;
  readonly session: Session;
  readonly rateHz: number;
  readonly onReading: (reading: SpanReading) => void;
  /** Ends it. What was asked then is not waited for. */
  readonly signal: AbortSignal;
}

/**
 * Reads the active span of a thread again and again, at random distances with a mean of `1 / rateHz`: never in step with the program's own timers. Resolves with why it
 * ended early, or undefined. Costs the target 45-155 µs and the serving of a message each time; reads less often when that is over 1 % of a core, and stops
 * when the median is over 5 ms. Never rejects for what the target does.
 */
export async function readSpans(options: SpanReaderOptions): Promise<string | undefined> {
  const { attachment, session, rateHz, onReading } = options;
  const signal = AbortSignal.any([options.signal, session.ended]);
  const costsUs: number[] = [];
  let meanMs = 1_000 / rateHz;
  let gapMs = 0;
  while (!signal.aborted) {
    await pause(gapMs, signal);
    // An exit that is waiting for us is asked nothing more.
    if (signal.aborted || attachment.isExiting) return undefined;
    gapMs = Math.max(gapMinMs, -Math.log(1 - Math.random()) * meanMs);
    const reading = await readOnce(session, signal);
    if (reading === 'later') continue;
    if (typeof reading === 'string') return reading;
    onReading(reading);
    if (reading.what === 'no-api') gapMs = noApiGapMs;
    costsUs.push(reading.costUs);
    if (costsUs.length < recentReadings) continue;
    const sumUs = costsUs.reduce((sum, us) => sum + us, 0);
    const medianUs = costsUs.toSorted((a, b) => a - b)[recentReadings / 2] ?? 0;
    if (medianUs > costlyUs) return `reading the active span took the target ${Math.round(medianUs)} µs each time`;
    // One of them may have been interrupted itself; the median has not.
    if ((medianUs * recentReadings) / 1_000 > shareMax * recentReadings * meanMs) meanMs *= 2;
    else if (sumUs / 1_000 < 0.25 * shareMax * recentReadings * meanMs) meanMs = Math.max(1_000 / rateHz, meanMs / 2);
    costsUs.length = 0;
  }
  return undefined;
}

async function readOnce(session: Session, signal: AbortSignal): Promise<SpanReading | 'later' | (string & {})> {
  try {
    return decodeSpanReading(await session.evaluate(spanExpression, { timeoutMs: answerTimeoutMs, signal }));
  } catch (error) {
    // The capture's end, or the thread's: the reason for either is known elsewhere.
    if (signal.aborted || isSidescopeError(error, 'inspector-timeout')) return 'later';
    if (error instanceof SidescopeError) return `the active span could not be read: ${error.message}`;
    throw error;
  }
}

/** A timer of its own kind: `setTimeout` of `timers/promises` makes an error for each wait that is cut short. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  const onAbort = (): void => resolve(undefined);
  if (signal.aborted) resolve(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  return promise.then(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  });
}
