import { describe, expect, test } from 'vitest';
import { encodingOf } from '../../protocol/otlp/encoding.ts';
import { decodePartialSuccess, encodeResponse, encodeStatus, RpcCode } from '../../protocol/otlp/response.ts';
import { BadRequest, RpcStatus, TraceResponse } from './proto.ts';

const partial = { rejectedCount: 300, message: 'three hundred' };

describe('responses', () => {
  test('success is no bytes, or an empty object', () => {
    expect(encodeResponse('protobuf').length).toBe(0);
    expect(Buffer.from(encodeResponse('json')).toString()).toBe('{}');
  });

  test('a partial success is what a library reads', () => {
    expect(
      TraceResponse.toObject(TraceResponse.decode(encodeResponse('protobuf', partial)), { longs: Number }),
    ).toEqual({
      partialSuccess: { rejectedSpans: 300, errorMessage: 'three hundred' },
    });
    expect(JSON.parse(Buffer.from(encodeResponse('json', partial)).toString())).toEqual({
      partialSuccess: { rejectedSpans: '300', errorMessage: 'three hundred' },
    });
  });

  test('a status with its details is what a library reads', () => {
    const status = { code: RpcCode.invalidArgument, message: 'why ü', field: 'body' };
    const read = RpcStatus.toObject(RpcStatus.decode(encodeStatus('protobuf', status))) as {
      details: { type_url: string; typeUrl: string; value: Uint8Array }[];
    };
    expect(read).toMatchObject({
      code: 3,
      message: 'why ü',
      details: [{ typeUrl: 'type.googleapis.com/google.rpc.BadRequest' }],
    });
    expect(BadRequest.toObject(BadRequest.decode(read.details[0]?.value ?? new Uint8Array()))).toEqual({
      fieldViolations: [{ field: 'body', description: 'why ü' }],
    });
    expect(JSON.parse(Buffer.from(encodeStatus('json', { code: 14, message: 'busy' })).toString())).toEqual({
      code: 14,
      message: 'busy',
    });
  });

  test('a partial success of an upstream is read back from both', () => {
    for (const encoding of ['protobuf', 'json'] as const) {
      expect(decodePartialSuccess(encoding, encodeResponse(encoding, partial))).toEqual(partial);
      expect(decodePartialSuccess(encoding, encodeResponse(encoding, { rejectedCount: 0, message: 'hm' }))).toEqual({
        rejectedCount: 0,
        message: 'hm',
      });
      expect(decodePartialSuccess(encoding, encodeResponse(encoding))).toBeUndefined();
    }
  });

  test.each(['<html>', '{"partialSuccess":7}', '\xff\xff\xff', ''])('an answer of %j is no partial success', (body) => {
    for (const encoding of ['protobuf', 'json'] as const)
      expect(decodePartialSuccess(encoding, Buffer.from(body, 'latin1'))).toBeUndefined();
  });

  test.each([
    ['application/x-protobuf', 'protobuf'],
    ['application/json; charset=utf-8', 'json'],
    ['Application/JSON', 'json'],
    ['text/plain', undefined],
    ['application/x-protobuffer', undefined],
    [undefined, undefined],
  ])('content type %s is %s', (type, encoding) => {
    expect(encodingOf(type)).toBe(encoding);
  });
});
