import type { TextSource } from '../../protocol/otlp/text.ts';

/** Text by Node's Buffer: for short strings three times as fast as a TextDecoder. The bodies are Buffers, or are made one here without a copy. */
export const bufferText: TextSource = {
  utf8: (bytes, start, end) => asBuffer(bytes).toString('utf8', start, end),
  hex: (bytes, start, end) => asBuffer(bytes).toString('hex', start, end),
};

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
