import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { isSidescopeError } from '../../protocol/error.ts';
import { decodeJsonRequest } from '../../protocol/otlp/decode-json.ts';
import { decodeTraceRequest } from '../../protocol/otlp/decode.ts';
import type { DecodedTraces } from '../../protocol/otlp/decode.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { fixture, manifest } from './fixtures.ts';
import { encodeRequest } from './proto.ts';
import { seededRandom } from './random.ts';

function decode(body: Uint8Array | string): DecodedTraces {
  const machine = decodeJsonRequest(typeof body === 'string' ? Buffer.from(body) : body);
  let step = machine.next();
  while (step.done !== true) step = machine.next();
  return step.value;
}

function refusal(body: Uint8Array | string): string | undefined {
  try {
    decode(body);
    return undefined;
  } catch (error) {
    if (!isSidescopeError(error, 'unreadable-otlp')) throw error;
    return error.message;
  }
}

const ids = { traceId: '0102030405060708090a0b0c0d0e0f10', spanId: '1112131415161718' };

function requestOf(span: object): string {
  return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...ids, ...span }] }] }] });
}

function only(span: object): Span | undefined {
  return decode(requestOf(span)).spans[0];
}

interface JsonValue {
  stringValue?: string;
  [kind: string]: unknown;
}

describe('recorded bodies of the real SDK', () => {
  const files = ['edge.json', 'small-express4.json', 'small-fastify.json', 'express5-pg-redis-512.json'];

  test.each(files)('%s decodes to what its protobuf form decodes to', (file) => {
    // Written as protobuf by protobufjs from the same JSON, whose ids it takes as base64.
    const parsed = JSON.parse(fixture(file).toString(), (key, value: unknown) => {
      if (typeof value === 'string' && /^(traceId|spanId|parentSpanId)$/.test(key))
        return Buffer.from(value, 'hex').toString('base64');
      // NaN, and whole doubles that are called integers: what the exporter's JSON cannot say.
      const isLost = typeof value === 'object' && value !== null && ('doubleValue' in value || 'intValue' in value);
      if (!isLost) return value;
      const { doubleValue, intValue } = value as JsonValue;
      if (doubleValue === null) return {};
      return typeof intValue === 'number' && Math.abs(intValue) > 2 ** 63 ? { doubleValue: intValue } : value;
    }) as object;
    const { spans, rejectedCount } = decode(fixture(file));
    expect(rejectedCount).toBe(0);
    expect(spans).toEqual(decodeTraceRequest(encodeRequest(parsed)).spans);
    expect(spans.length).toBe(manifest().find((each) => each.file === file)?.spans);
  });

  test('offsets point at the brace of each span', () => {
    const body = gunzipSync(fixture('express5-pg-redis-512.json.gz'));
    const { spans, offsets } = decode(body);
    expect(offsets.length).toBe(512);
    const begins = offsets.map((offset) => body.subarray(offset, offset + 45).toString());
    expect(begins).toEqual(spans.map(({ traceId }) => `{"traceId":"${traceId}"`));
  });
});

describe('what OTLP says of its JSON', () => {
  test('ids are hex in any case', () => {
    expect(
      only({ traceId: ids.traceId.toUpperCase(), spanId: '1112131415161718', parentSpanId: 'ABCDEF0000000001' }),
    ).toMatchObject({
      traceId: ids.traceId,
      parentSpanId: 'abcdef0000000001',
    });
  });

  test('base64 ids are rejected span by span', () => {
    const base64 = { traceId: 'AQIDBAUGBwgJCgsMDQ4PEA==' };
    expect(decode(requestOf(base64))).toMatchObject({ spanCount: 0, rejectedCount: 1 });
    expect(decode(requestOf({ parentSpanId: 'xyz' }))).toMatchObject({ rejectedCount: 1 });
    expect(only({ parentSpanId: '0000000000000000' })?.parentSpanId).toBe('');
  });

  test('64-bit numbers are strings or numbers, exact either way', () => {
    const start = '1795351358000000001';
    const asText = only({ startTimeUnixNano: start, endTimeUnixNano: '1795351358000000002' });
    const asNumber = decode(
      requestOf({ startTimeUnixNano: start, endTimeUnixNano: '1795351358000000002' }).replaceAll(/"(1795\d+)"/g, '$1'),
    ).spans[0];
    expect(asText?.durationMs).toBe(0.000001);
    expect(asNumber).toEqual(asText);
    const attributes =
      '[{"key":"t","value":{"intValue":"9007199254740993"}},{"key":"n","value":{"intValue":9007199254740993}}]';
    const span = decode(requestOf({ attributes: 0 }).replace('"attributes":0', `"attributes":${attributes}`)).spans[0];
    expect(span?.attributes).toEqual({ t: 9007199254740993n, n: 9007199254740993n });
  });

  test('doubles are numbers, strings, or null for what JSON cannot write', () => {
    const values = [1.5, '2.5', 'NaN', 'Infinity', '-Infinity', null, 1e300];
    const attributes = values.map((doubleValue, index) => ({ key: `k${index}`, value: { doubleValue } }));
    expect(Object.values(only({ attributes })?.attributes ?? {})).toEqual([
      1.5,
      2.5,
      NaN,
      Infinity,
      -Infinity,
      null,
      1e300,
    ]);
  });

  test('values of every kind', () => {
    const values: [object, unknown][] = [
      [{}, null],
      [{ stringValue: '' }, ''],
      [{ boolValue: false }, false],
      [{ intValue: 7 }, 7],
      [{ intValue: '-7' }, -7],
      [{ bytesValue: 'AP8=' }, new Uint8Array([0, 255])],
      [{ arrayValue: { values: [{ intValue: 1 }, {}] } }, [1, null]],
      [{ arrayValue: {} }, []],
      [{ kvlistValue: { values: [{ key: 'a', value: { stringValue: 'b' } }] } }, { a: 'b' }],
    ];
    for (const [value, expected] of values)
      expect(only({ attributes: [{ key: 'x', value }] })?.attributes).toEqual({ x: expected });
  });

  test('members come in any order, unknown ones and null are nothing', () => {
    const body = `{"new":[{}],"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"${ids.traceId}","later":{"a":"}"},"spanId":"${ids.spanId}","status":null}],"scope":{"name":"s"}},{"spans":null}],"resource":{"attributes":[{"key":"r","value":{"intValue":1}}]}},{}],"x":1}`;
    const { spans } = decode(body);
    expect(spans).toMatchObject([{ scopeName: 's', resource: { attributes: { r: 1 } } }]);
  });

  test.each(['{}', '{"resourceSpans":[]}', '{"resourceSpans":null}', ' {"resourceSpans":[{},{"scopeSpans":[{}]}]}\n'])(
    '%s has no spans',
    (body) => {
      expect(decode(body)).toMatchObject({ spanCount: 0, rejectedCount: 0, spans: [] });
    },
  );
});

describe('damaged bodies', () => {
  test.each([
    ['', '{ is expected at byte 0'],
    ['[]', '{ is expected at byte 0'],
    ['{"resourceSpans":{}}', '[ is expected at byte 17'],
    ['{"resourceSpans":[1]}', '{ is expected at byte 18'],
    ['{}{}', 'something follows the document at byte 2'],
    ['{"a":tru}', 'not JSON'],
    ['{"a" 1}', ': is expected at byte 5'],
    ['{"a":1,}', 'a key is expected at byte 7'],
    [requestOf({ name: 5 }), 'name is not a string'],
    [requestOf({ kind: 'SPAN_KIND_SERVER' }), 'kind is not a number'],
    [requestOf({ startTimeUnixNano: 'now' }), 'startTimeUnixNano is not a whole number of nanoseconds'],
    [requestOf({ attributes: [{ key: 'a', value: { bytesValue: '*' } }] }), 'bytesValue is not base64'],
    [requestOf({ attributes: 5 }), 'attributes is not an array'],
  ])('%s is refused with the reason', (body, message) => {
    expect(refusal(body)).toContain(message);
  });

  test('bytes that are not UTF-8 are refused', () => {
    const body = Buffer.from(requestOf({ name: 'x?x' }));
    body[body.indexOf('?')] = 0xff;
    expect(refusal(body)).toContain('not UTF-8');
  });

  test('every prefix of a body is refused', () => {
    const body = fixture('edge.json');
    for (let length = 0; length < body.length; length++)
      expect(refusal(body.subarray(0, length)), `cut at ${length}`).toBeDefined();
  });

  test('what JSON.parse refuses is refused, whatever was changed', () => {
    const random = seededRandom(11);
    const body = fixture('edge.json');
    let refused = 0;
    for (let round = 0; round < 3_000; round++) {
      const mutant = Buffer.from(body);
      mutant[Math.floor(random() * mutant.length)] = 32 + Math.floor(random() * 96);
      const reason = refusal(mutant);
      if (reason !== undefined) refused++;
      else expect(() => JSON.parse(mutant.toString()) as unknown, `round ${round}`).not.toThrow();
    }
    expect(refused).toBeGreaterThan(200);
  });

  test('an array nested a million times is refused, not fatal', () => {
    expect(refusal(`{"a":${'['.repeat(1_000_000)}}`)).toContain('no end');
    expect(
      refusal(requestOf({}).replace('"spanId"', `"deep":${'['.repeat(200_000)}${']'.repeat(200_000)},"spanId"`)),
    ).toBeUndefined();
    let value: object = {};
    for (let level = 0; level < 150; level++) value = { arrayValue: { values: [value] } };
    expect(refusal(requestOf({ attributes: [{ key: 'a', value }] }))).toContain('nested deeper than 100');
  });
});
