import { SidescopeError } from '../error.ts';
import { unescapeJsonString } from './unescape-json.ts';

export { unescapeJsonString };

export type MessageHead =
  | { readonly kind: 'response'; readonly id: number; readonly isError: boolean }
  | { readonly kind: 'event'; readonly method: string };

/**
 * What an inspector message is, from its first bytes: snapshot chunks (1 MiB each from Node 24) and profiles must not
 * become strings. Knows the order and spacing in which V8 writes; `undefined` means: parse it in the ordinary way. Node 18
 * and 20 put the id of an error answer last, so those come back as `undefined`.
 */
export function inspectMessage(bytes: Uint8Array): MessageHead | undefined {
  if (startsWith(bytes, EVENT, 0)) {
    const method = shortTextAt(bytes, EVENT.length);
    if (method === undefined) return undefined;
    const next = bytes[EVENT.length + method.length + 1];
    return next === COMMA || next === CLOSING_BRACE ? { kind: 'event', method } : undefined;
  }
  if (!startsWith(bytes, RESPONSE, 0)) return undefined;
  const { value: id, end } = digitsAt(bytes, RESPONSE.length);
  if (end === RESPONSE.length) return undefined;
  if (startsWith(bytes, RESULT, end)) return { kind: 'response', id, isError: false };
  if (startsWith(bytes, ERROR, end)) return { kind: 'response', id, isError: true };
  return undefined;
}

/**
 * Where the chunk's text lies in a `HeapProfiler.addHeapSnapshotChunk` message: `start` behind the opening quote (for
 * `unescapeJsonString`), `end` at the closing one; looks at both ends only. `undefined`: another message, or not as V8 writes it.
 */
export function snapshotChunkRange(message: Uint8Array): { start: number; end: number } | undefined {
  const start = SNAPSHOT_CHUNK.length;
  const end = message.length - STRING_PARAM_END.length;
  if (end < start || !startsWith(message, SNAPSHOT_CHUNK, 0)) return undefined;
  return startsWith(message, STRING_PARAM_END, end) ? { start, end } : undefined;
}

/**
 * The bytes of the value of `key` in `{"id":5,"result":{"profile":{...}}}`, not copied: a .cpuprofile is exactly these.
 * V8 answers `Profiler.stop` and `HeapProfiler.stopSampling` with this one key. Looks at both ends only: a WebSocket
 * message arrives whole or not at all. Throws `inspector-bad-answer` for any other shape, an error answer included.
 */
export function sliceResultValue(message: Uint8Array, key: string): Uint8Array {
  const head = startsWith(message, RESPONSE, 0) ? digitsAt(message, RESPONSE.length).end : -1;
  const opening = encoder.encode(`,"result":{"${key}":{`);
  const start = head + opening.length - 1;
  const end = message.length - 2;
  const isWhole =
    head > RESPONSE.length &&
    startsWith(message, opening, head) &&
    end >= start + 2 &&
    message.subarray(end - 1).every((byte) => byte === CLOSING_BRACE);
  if (isWhole) return message.subarray(start, end);
  throw new SidescopeError(
    'inspector-bad-answer',
    `no {"id":N,"result":{"${key}":{...}}} but ${message.length} B: ${excerpt(message)}`,
  );
}

/**
 * The message inside a `NodeWorker.receivedMessageFromWorker` event, unescaped into memory of its own; of a nested
 * worker it is again such an event. `undefined`: another message, or not as V8 writes it.
 */
export function workerMessage(message: Uint8Array): { sessionId: string; message: Uint8Array } | undefined {
  if (!startsWith(message, WORKER_EVENT, 0)) return undefined;
  const sessionId = shortTextAt(message, WORKER_EVENT.length);
  if (sessionId === undefined) return undefined;
  const between = WORKER_EVENT.length + sessionId.length;
  if (!startsWith(message, WORKER_TEXT, between)) return undefined;
  const start = between + WORKER_TEXT.length;
  const target = new Uint8Array(message.length - start);
  const { end, written } = unescapeJsonString(message, start, target);
  if (end !== message.length - 2 || !startsWith(message, STRING_PARAM_END, end - 1)) {
    throw new SidescopeError('inspector-bad-answer', `text at byte ${end}, behind the message of worker ${sessionId}`);
  }
  return { sessionId, message: target.subarray(0, written) };
}

const encoder = new TextEncoder();
const EVENT = encoder.encode('{"method":"');
const RESPONSE = encoder.encode('{"id":');
const RESULT = encoder.encode(',"result":');
const ERROR = encoder.encode(',"error":');
const SNAPSHOT_CHUNK = encoder.encode('{"method":"HeapProfiler.addHeapSnapshotChunk","params":{"chunk":"');
const WORKER_EVENT = encoder.encode('{"method":"NodeWorker.receivedMessageFromWorker","params":{"sessionId":"');
const WORKER_TEXT = encoder.encode('","message":"');
const STRING_PARAM_END = encoder.encode('"}}');

const QUOTE = 0x22;
const COMMA = 0x2c;
const CLOSING_BRACE = 0x7d;
/** The longest method name of V8 24 has 45 characters; ids of sessions are decimal numbers. */
const SHORT_TEXT_MAX = 100;

function startsWith(bytes: Uint8Array, expected: Uint8Array, offset: number): boolean {
  return expected.every((byte, index) => bytes[offset + index] === byte);
}

/** The characters up to the next quote, when they are few and plain: letters, digits, dots, dashes, underscores. */
function shortTextAt(bytes: Uint8Array, start: number): string | undefined {
  const quote = bytes.subarray(start, start + SHORT_TEXT_MAX + 1).indexOf(QUOTE);
  if (quote < 1) return undefined;
  const text = String.fromCharCode(...bytes.subarray(start, start + quote));
  return /^[\w.-]+$/.test(text) ? text : undefined;
}

/** 15 digits at most: more is not exact as a number, and not ours. */
function digitsAt(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  let end = start;
  for (; end < start + 15; end++) {
    const digit = bytes[end] ?? 0;
    if (digit < 0x30 || digit > 0x39) break;
    value = value * 10 + digit - 0x30;
  }
  return { value, end };
}

function excerpt(message: Uint8Array): string {
  return new TextDecoder().decode(message.subarray(0, 80));
}
