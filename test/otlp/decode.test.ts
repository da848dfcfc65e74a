import { describe, expect, test } from 'vitest';
import { bufferText } from '../../agent/requests/buffer-text.ts';
import { isSidescopeError } from '../../protocol/error.ts';
import { checkTraceRequest } from '../../protocol/otlp/check.ts';
import { decodeTraceRequest, TraceDecoder } from '../../protocol/otlp/decode.ts';
import type { DecodedTraces } from '../../protocol/otlp/decode.ts';
import { stringBytesMax, valuesPerSpanMax } from '../../protocol/otlp/limits.ts';
import { fixture, manifest } from './fixtures.ts';
import { concat, field, messageHeader } from '../../protocol/otlp/write.ts';
import { decodeWithBuf, encodeRequest, TraceRequest } from './proto.ts';
import { seededRandom } from './random.ts';
import { referenceSpans } from './reference.ts';
import type { WireRequest } from './reference.ts';

const protobufFiles = ['edge.pb', 'small-express4.pb', 'express5-pg-redis-512-0.pb'];

function withProtobufjs(body: Uint8Array) {
  return referenceSpans(TraceRequest.decode(body) as unknown as WireRequest);
}

function withBuf(body: Uint8Array) {
  return referenceSpans(decodeWithBuf(body) as unknown as WireRequest);
}

/** Undefined when the body is refused; any other error is a fault. */
function decoded(body: Uint8Array, decoder?: TraceDecoder): DecodedTraces | undefined {
  try {
    return decodeTraceRequest(body, decoder);
  } catch (error) {
    if (!isSidescopeError(error, 'unreadable-otlp')) throw error;
    return undefined;
  }
}

const ids = {
  traceId: Buffer.from('0102030405060708090a0b0c0d0e0f10', 'hex'),
  spanId: Buffer.from('1112131415161718', 'hex'),
};

function requestOf(span: object) {
  return { resourceSpans: [{ scopeSpans: [{ spans: [{ ...ids, ...span }] }] }] };
}

function attribute(value: object) {
  return { attributes: [{ key: 'a', value }] };
}

describe('recorded bodies of the real SDK', () => {
  test.each(protobufFiles)('%s decodes to what protobufjs and bufbuild decode it to', (file) => {
    const body = fixture(file);
    const { spans } = decodeTraceRequest(body, new TraceDecoder(bufferText));
    expect(spans).toEqual(withProtobufjs(body));
    expect(spans).toEqual(withBuf(body));
    expect(decodeTraceRequest(body).spans).toEqual(spans);
  });

  test.each(protobufFiles)('%s holds the spans that its manifest counts', (file) => {
    const { spans } = decodeTraceRequest(fixture(file));
    const entry = manifest().find((each) => each.file === file);
    expect(spans.length).toBe(entry?.spans);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(entry?.traces);
    expect(spans.filter(({ statusCode }) => statusCode === 2).length).toBe(entry?.errorSpans);
    const scopes = [...Map.groupBy(spans, ({ scopeName }) => scopeName)].map(([name, some]) => [name, some.length]);
    expect(Object.fromEntries(scopes)).toEqual(entry?.scopes);
    const sumNs = spans.reduce((sum, { durationMs }) => sum + durationMs * 1e6, 0);
    expect(Math.round(sumNs)).toBe(entry?.sumDurationNs);
  });

  test('one decoder gives the same for many bodies in turn', () => {
    const decoder = new TraceDecoder(bufferText);
    for (const file of [...protobufFiles, ...protobufFiles.toReversed()])
      expect(decodeTraceRequest(fixture(file), decoder).spans).toEqual(withProtobufjs(fixture(file)));
  });

  test('nothing of a decoded span is a view of the body', () => {
    const body = encodeRequest(requestOf(attribute({ bytesValue: Buffer.from('kept') })));
    const { spans } = decodeTraceRequest(body);
    body.fill(0xff);
    expect(spans[0]?.attributes).toEqual({ a: new Uint8Array(Buffer.from('kept')) });
    expect(spans[0]?.traceId).toBe('0102030405060708090a0b0c0d0e0f10');
  });
});

describe('damaged bodies', () => {
  test('every prefix is refused, or decodes to what protobufjs and bufbuild decode it to', () => {
    const decoder = new TraceDecoder(bufferText);
    for (const file of ['edge.pb', 'small-express4.pb']) {
      const body = fixture(file);
      const step = file === 'edge.pb' ? 1 : 7;
      let read = 0;
      for (let length = 0; length < body.length; length += step) {
        const prefix = body.subarray(0, length);
        const ours = decoded(prefix, decoder);
        if (ours === undefined) {
          expect(() => TraceRequest.decode(prefix), `${file} cut at ${length}`).toThrow();
          continue;
        }
        read++;
        expect(ours.spans, `${file} cut at ${length}`).toEqual(withProtobufjs(prefix));
        expect(ours.spans).toEqual(withBuf(prefix));
      }
      // The empty body; a request is one message, and no other cut leaves it whole.
      expect(read).toBe(1);
    }
  });

  test('a mutated body is refused or decodes as bufbuild does; what it refuses we refuse', () => {
    const random = seededRandom(20261122);
    const body = fixture('edge.pb');
    const tally = { refused: 0, equal: 0, unchanged: 0 };
    const decoder = new TraceDecoder(bufferText);
    const before = withBuf(body);
    for (let round = 0; round < 6_000; round++) {
      const mutant = mutate(body, random);
      const ours = decoded(mutant, decoder);
      if (ours === undefined) {
        tally.refused++;
        continue;
      }
      let theirs;
      try {
        theirs = withBuf(mutant);
      } catch (error) {
        throw new Error(`round ${round}: bufbuild refuses what we took: ${String(error)}`, { cause: error });
      }
      expect(ours.spans, `round ${round}`).toEqual(theirs);
      expect(ours.spans.length).toBe(ours.spanCount);
      if (JSON.stringify(theirs, plain) === JSON.stringify(before, plain)) tally.unchanged++;
      else tally.equal++;
    }
    expect(tally.refused).toBeGreaterThan(500);
    expect(tally.equal).toBeGreaterThan(500);
  });

  test('a mutated body of 49 spans decodes as protobufjs does, when both take it', () => {
    const random = seededRandom(7);
    const body = fixture('small-express4.pb');
    const decoder = new TraceDecoder(bufferText);
    let compared = 0;
    for (let round = 0; round < 300; round++) {
      const mutant = mutate(body, random);
      const ours = decoded(mutant, decoder);
      if (ours === undefined) continue;
      expect(ours.spans, `round ${round}`).toEqual(withProtobufjs(mutant));
      compared++;
    }
    expect(compared).toBeGreaterThan(50);
  });

  test('random bytes never do worse than a refusal', () => {
    const random = seededRandom(99);
    const decoder = new TraceDecoder(bufferText);
    for (let round = 0; round < 5_000; round++)
      decoded(
        Uint8Array.from({ length: Math.floor(random() * 80) }, () => Math.floor(random() * 256)),
        decoder,
      );
  });

  test.each([
    ['a group', [0x7b], 'wire type 3 (group) at byte 0'],
    ['an unknown wire type', [0x7e], 'wire type 6 (unknown) at byte 0'],
    ['a field with number 0', [0x02, 0x00], 'a field has the number 0 at byte 0'],
    ['a known field of another wire type', [0x08, 0x01], 'request, field 1 has wire type 0 at byte 0'],
    ['a length beyond the end', [0x0a, 0x05, 0x00], 'request, field 1 is 5 bytes long and 1 are left at byte 0'],
    [
      'a length of more than 32 bits',
      [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
      'a tag or length of more than 32 bits at byte 1',
    ],
    [
      'a number that never ends',
      [0x78, ...Array.from({ length: 12 }, () => 0xff)],
      'a number of more than 64 bits at byte 1',
    ],
    ['a string that is not UTF-8', [0x0a, 0x03, 0x1a, 0x01, 0xff], 'a string is not UTF-8 at byte 4'],
  ])('%s is refused with its place', (_, bytes, message) => {
    expect(() => decodeTraceRequest(Uint8Array.from(bytes))).toThrow(message);
  });
});

describe('what proto3 says of messages', () => {
  const join = (...parts: object[]) => Buffer.concat(parts.map((part) => encodeRequest(part)));

  test('fields come in any order: a resource behind its spans is theirs', () => {
    const spans = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [ids] }] }] });
    const resource = encodeRequest({ resourceSpans: [{ resource: attribute({ stringValue: 'late' }) }] });
    const inner = Buffer.concat([spans.subarray(2), resource.subarray(2)]);
    const body = Buffer.concat([Buffer.from([0x0a, inner.length]), inner]);
    expect(decodeTraceRequest(body).spans[0]?.resource).toEqual({ attributes: { a: 'late' } });
    expect(decodeTraceRequest(body).spans).toEqual(withBuf(body));
  });

  test('a message that is given twice is merged', () => {
    const first = encodeRequest({
      resourceSpans: [{ resource: { attributes: [{ key: 'x', value: { intValue: 1 } }] } }],
    });
    const second = encodeRequest({
      resourceSpans: [
        { resource: { attributes: [{ key: 'y', value: { intValue: 2 } }] }, scopeSpans: [{ spans: [ids] }] },
      ],
    });
    const inner = Buffer.concat([first.subarray(2), second.subarray(2)]);
    const body = Buffer.concat([Buffer.from([0x0a, inner.length]), inner]);
    expect(decodeTraceRequest(body).spans[0]?.resource.attributes).toEqual({ x: 1, y: 2 });
    const status = Buffer.from([0x7a, 0x02, 0x18, 0x02, 0x7a, 0x03, 0x12, 0x01, 0x78]);
    expect(decodeTraceRequest(withSpanBytes(status)).spans[0]).toMatchObject({ statusCode: 2, statusMessage: 'x' });
  });

  test('two requests one after the other are one', () => {
    const body = join(requestOf({ name: 'one' }), requestOf({ name: 'two' }));
    expect(decodeTraceRequest(body).spans.map(({ name }) => name)).toEqual(['one', 'two']);
  });

  test('unknown fields are passed over at every level', () => {
    const unknown = Buffer.from([
      0xa0, 0x06, 0x01, 0xaa, 0x06, 0x02, 0x68, 0x69, 0xb1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0xb5, 0x06, 1, 2, 3, 4,
    ]);
    const body = Buffer.concat([unknown, withSpanBytes(unknown), unknown]);
    expect(decodeTraceRequest(body).spans).toEqual(decodeTraceRequest(encodeRequest(requestOf({}))).spans);
    expect(decodeTraceRequest(body).spans).toEqual(withBuf(body));
  });

  test('values of every kind, empty ones and none', () => {
    const values: [object, unknown][] = [
      [{}, null],
      [{ stringValue: '' }, ''],
      [{ boolValue: true }, true],
      [{ intValue: '-1' }, -1],
      [{ intValue: '9007199254740993' }, 9007199254740993n],
      [{ intValue: '-9223372036854775808' }, -9223372036854775808n],
      [{ doubleValue: -0.5 }, -0.5],
      [{ bytesValue: Buffer.from([0, 255]) }, new Uint8Array([0, 255])],
      [
        { arrayValue: { values: [{ intValue: 1 }, { stringValue: 'x' }, {}, { arrayValue: { values: [] } }] } },
        [1, 'x', null, []],
      ],
      [{ kvlistValue: { values: [{ key: 'k', value: { kvlistValue: { values: [] } } }] } }, { k: {} }],
      [{ stringValueStrindex: 7 }, null],
    ];
    for (const [value, expected] of values) {
      const body = encodeRequest(requestOf(attribute(value)));
      expect(decodeTraceRequest(body).spans[0]?.attributes).toEqual({ a: expected });
      expect(decodeTraceRequest(body).spans).toEqual(withBuf(body));
    }
  });

  test('times are good beyond 2^53, durations to the nanosecond', () => {
    const span = { startTimeUnixNano: '1795351358000000001', endTimeUnixNano: '1795351358000000002' };
    const [read] = decodeTraceRequest(encodeRequest(requestOf(span))).spans;
    expect(read?.startMs).toBe(1795351358000);
    expect(read?.durationMs).toBe(0.000001);
    const backwards = { startTimeUnixNano: '5000000', endTimeUnixNano: '1' };
    expect(decodeTraceRequest(encodeRequest(requestOf(backwards))).spans[0]?.durationMs).toBe(0);
  });

  test('an attribute named __proto__ is one like others', () => {
    const body = encodeRequest(requestOf({ attributes: [{ key: '__proto__', value: { stringValue: 'x' } }] }));
    const attributes = decodeTraceRequest(body).spans[0]?.attributes ?? {};
    expect(Object.keys(attributes)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(attributes)).toBe(Object.prototype);
  });
});

describe('bounds', () => {
  test('spans without valid ids are counted and left out', () => {
    const bad = [
      { traceId: Buffer.alloc(16) },
      { spanId: Buffer.alloc(8) },
      { spanId: Buffer.alloc(7, 1) },
      { traceId: Buffer.alloc(0) },
      { parentSpanId: Buffer.alloc(5, 1) },
    ];
    const body = Buffer.concat([...bad, {}].map((span) => encodeRequest(requestOf(span))));
    expect(decodeTraceRequest(body)).toMatchObject({
      spanCount: 1,
      rejectedCount: 5,
      spans: [{ spanId: '1112131415161718' }],
    });
  });

  test('a span of more than 4 MiB is rejected, its neighbours are not', () => {
    const long = requestOf(attribute({ stringValue: 'x'.repeat(5 * 1024 * 1024) }));
    const body = Buffer.concat([encodeRequest(requestOf({})), encodeRequest(long), encodeRequest(requestOf({}))]);
    expect(decodeTraceRequest(body)).toMatchObject({ spanCount: 2, rejectedCount: 1 });
  });

  test('what is cut and left out is counted', () => {
    const decoder = new TraceDecoder(bufferText);
    const long = 'x'.repeat(stringBytesMax + 1);
    const key = 'k';
    const crowd = Array.from({ length: valuesPerSpanMax + 10 }, () => ({ key, value: {} }));
    const list = { arrayValue: { values: Array.from({ length: valuesPerSpanMax + 10 }, () => ({ intValue: 1 })) } };
    for (const span of [
      { name: long, attributes: [{ key: long, value: { stringValue: long } }] },
      { attributes: [{ key, value: { bytesValue: Buffer.alloc(stringBytesMax + 1) } }] },
      { attributes: [{ key, value: { stringValue: long.slice(1) } }] },
      { attributes: crowd, events: [{ name: 'e' }] },
      { attributes: [{ key, value: list }] },
    ])
      decodeTraceRequest(encodeRequest(requestOf(span)), decoder);
    expect(decoder.cuts).toEqual({ strings: 4, values: 12 });
  });

  test('a value of 1 MB is cut between two characters, and a span keeps so many values', () => {
    const text = `${'x'.repeat(stringBytesMax - 1)}ü${'y'.repeat(1_000_000)}`;
    const [span] = decodeTraceRequest(encodeRequest(requestOf(attribute({ stringValue: text })))).spans;
    expect(span?.attributes['a']).toBe('x'.repeat(stringBytesMax - 1));
    const many = Array.from({ length: valuesPerSpanMax + 10 }, (_, index) => ({ key: `k${index}`, value: {} }));
    const [crowded] = decodeTraceRequest(encodeRequest(requestOf({ attributes: many }))).spans;
    expect(Object.keys(crowded?.attributes ?? {}).length).toBe(valuesPerSpanMax);
  });

  test('values nested deeper than 100 messages are refused', () => {
    const nested = (depth: number): Uint8Array => {
      let value = field.int64(3, 1);
      for (let level = 0; level < depth; level++) value = field.message(5, field.message(1, value));
      return withSpanBytes(field.message(9, field.message(2, value)));
    };
    expect(decoded(nested(40))?.spanCount).toBe(1);
    expect(() => decodeTraceRequest(nested(60))).toThrow('messages are nested deeper than 100');
  });

  test('millions of empty envelopes are refused', () => {
    const body = Buffer.alloc(1_000_000, Buffer.from([0x0a, 0x00]));
    expect(() => decodeTraceRequest(body)).toThrow('more than 200000 fields beside the valid spans');
  });

  test('a large body is checked and decoded in many steps', () => {
    const body = Buffer.concat(Array.from({ length: 20 }, () => fixture('express5-pg-redis-512-0.pb')));
    expect([...checkTraceRequest(body)].length).toBeGreaterThanOrEqual(8);
    const slices = [...new TraceDecoder().decode(body)];
    expect(slices.length).toBeGreaterThanOrEqual(8);
    expect(slices.reduce((sum, { spans }) => sum + spans.length, 0)).toBe(20 * 512);
    expect(slices.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(body.length);
  });
});

function withSpanBytes(extra: Uint8Array): Uint8Array {
  const span = concat([messageHeader(1, 16), ids.traceId, messageHeader(2, 8), ids.spanId, extra]);
  return field.message(1, field.message(2, field.message(2, span)));
}

function mutate(body: Buffer, random: () => number): Buffer {
  const mutant = Buffer.from(body);
  const count = 1 + Math.floor(random() * 3);
  for (let change = 0; change < count; change++) {
    const at = Math.floor(random() * mutant.length);
    if (random() < 0.5) mutant[at] = Math.floor(random() * 256);
    else mutant[at] = (mutant[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  }
  return mutant;
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
