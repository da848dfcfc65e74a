import type { OtlpEncoding } from './encoding.ts';
import { decodeUtf8 } from './text.ts';
import { WireCursor } from './wire.ts';
import { concat, field } from './write.ts';

/** That not all was taken; with `rejectedCount` 0 a warning. */
export interface PartialSuccess {
  readonly rejectedCount: number;
  readonly message: string;
}

/** `ExportTraceServiceResponse`; metrics and logs have the same with other names for the count. Without a partial success: 0 bytes, or `{}`. */
export function encodeResponse(encoding: OtlpEncoding, partial?: PartialSuccess): Uint8Array {
  if (partial === undefined) return encoding === 'json' ? jsonBytes({}) : new Uint8Array();
  const { rejectedCount, message } = partial;
  if (encoding === 'json')
    return jsonBytes({ partialSuccess: { rejectedSpans: String(rejectedCount), errorMessage: message } });
  const count = rejectedCount === 0 ? new Uint8Array() : field.int64(1, rejectedCount);
  return field.message(1, count, field.string(2, message));
}

/** `google.rpc.Code`, of which these are ours. */
export const RpcCode = {
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  /** For `invalidArgument`: what of the request was wrong. Told as `google.rpc.BadRequest`. */
  readonly field?: string | undefined;
}

/** `google.rpc.Status`, the body of every refusal. */
export function encodeStatus(encoding: OtlpEncoding, { code, message, field: violated }: RpcStatus): Uint8Array {
  const type = 'type.googleapis.com/google.rpc.BadRequest';
  if (encoding === 'json') {
    const details = [{ '@type': type, fieldViolations: [{ field: violated, description: message }] }];
    return jsonBytes(violated === undefined ? { code, message } : { code, message, details });
  }
  const status = concat([field.int64(1, code), field.string(2, message)]);
  if (violated === undefined) return status;
  const badRequest = field.message(1, field.string(1, violated), field.string(2, message));
  return concat([status, field.message(3, field.string(1, type), field.message(2, badRequest))]);
}

/** The partial success in an upstream's answer; undefined when there is none, or when the answer is not one. */
export function decodePartialSuccess(encoding: OtlpEncoding, body: Uint8Array): PartialSuccess | undefined {
  try {
    return encoding === 'json' ? partialOfJson(body) : partialOfProtobuf(body);
  } catch {
    // The request has succeeded by its status; what the answer's body would have said is a courtesy.
    return undefined;
  }
}

function partialOfJson(body: Uint8Array): PartialSuccess | undefined {
  const partial = (JSON.parse(decodeUtf8(body)) as { partialSuccess?: Record<string, unknown> }).partialSuccess;
  if (partial === undefined) return undefined;
  const count = partial['rejectedSpans'] ?? partial['rejectedDataPoints'] ?? partial['rejectedLogRecords'] ?? 0;
  return known({ rejectedCount: Number(count), message: textOf(partial['errorMessage']) });
}

function partialOfProtobuf(body: Uint8Array): PartialSuccess | undefined {
  const cursor = new WireCursor(body);
  let partial: PartialSuccess | undefined;
  while (cursor.position < body.length) {
    const tag = cursor.varint();
    if (tag === 0x0a) partial = readPartial(cursor);
    else cursor.skip(tag);
  }
  return partial === undefined || cursor.position !== body.length ? undefined : known(partial);
}

function readPartial(cursor: WireCursor): PartialSuccess {
  const length = cursor.varint();
  const end = cursor.position + length;
  let rejectedCount = 0;
  let message = '';
  while (cursor.position < end) {
    const tag = cursor.varint();
    if (tag === 0x08) rejectedCount = cursor.varint();
    else if (tag === 0x12) {
      const textLength = cursor.varint();
      const start = cursor.position;
      cursor.position += textLength;
      message = decodeUtf8(cursor.bytes.subarray(start, cursor.position));
    } else cursor.skip(tag);
  }
  return { rejectedCount, message };
}

function known({ rejectedCount, message }: PartialSuccess): PartialSuccess | undefined {
  const isCount = Number.isSafeInteger(rejectedCount) && rejectedCount >= 0;
  return isCount && (rejectedCount > 0 || message !== '') ? { rejectedCount, message } : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
