/**
 * Text out of a body. The default works everywhere; Node's Buffer does it in a third of the time, so the agent brings its own.
 * `start` and `end` are byte offsets; the bytes are known to be UTF-8.
 */
export interface TextSource {
  utf8(bytes: Uint8Array, start: number, end: number): string;
  /** Lower case. */
  hex(bytes: Uint8Array, start: number, end: number): string;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const portableText: TextSource = {
  utf8: (bytes, start, end) => decoder.decode(bytes.subarray(start, end)),
  hex: (bytes, start, end) => String.fromCharCode(...Array.from(bytes.subarray(start, end), hexDigits).flat()),
};

/** Throws a TypeError where the bytes are not UTF-8: overlong forms and lone surrogates are not. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function hexDigits(byte: number): [number, number] {
  return [hexDigit(byte >> 4), hexDigit(byte & 15)];
}

function hexDigit(value: number): number {
  return value < 10 ? 48 + value : 87 + value;
}
