import { describe, expect, test } from 'vitest';
import { decodeJsonRequest } from '../../protocol/otlp/decode-json.ts';
import { decodeTraceRequest } from '../../protocol/otlp/decode.ts';
import type { DecodedTraces } from '../../protocol/otlp/decode.ts';
import { spliceJsonAttributes } from '../../protocol/otlp/splice-json.ts';
import { spliceAttributes } from '../../protocol/otlp/splice.ts';
import { concat, field } from '../../protocol/otlp/write.ts';
import { fixture } from './fixtures.ts';
import { decodeWithBuf, encodeRequest, TraceRequest } from './proto.ts';
import { seededRandom } from './random.ts';

const attributes = {
  'pyroscope.profile.id': '1112131415161718',
  'sidescope.cpu_ms': 12.5,
  'sidescope.samples': 300,
  'sidescope.negative': -1,
  'sidescope.exact': true,
};

function decodeJson(body: Uint8Array): DecodedTraces {
  const machine = decodeJsonRequest(body);
  let step = machine.next();
  while (step.done !== true) step = machine.next();
  return step.value;
}

function spliceProtobuf(body: Uint8Array, isChosen: (index: number) => boolean): Uint8Array {
  const { offsets } = decodeTraceRequest(body);
  return spliceAttributes(
    body,
    offsets.filter((_, index) => isChosen(index)).map((offset) => ({ offset, attributes })),
  );
}

interface Span {
  attributes: unknown[];
}
interface Request {
  resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
}

/** What must come out, made the slow way: decoded by a library, the attributes pushed. */
function expectedObject(body: Uint8Array, isChosen: (index: number) => boolean): object {
  const request = TraceRequest.toObject(TraceRequest.decode(body), {
    longs: String,
    bytes: String,
    arrays: true,
  }) as Request;
  let index = 0;
  for (const span of request.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)))
    if (isChosen(index++)) span.attributes.push(...added);
  return request;
}

const added = [
  { key: 'pyroscope.profile.id', value: { stringValue: '1112131415161718' } },
  { key: 'sidescope.cpu_ms', value: { doubleValue: 12.5 } },
  { key: 'sidescope.samples', value: { intValue: '300' } },
  { key: 'sidescope.negative', value: { intValue: '-1' } },
  { key: 'sidescope.exact', value: { boolValue: true } },
];

describe('attributes spliced into protobuf', () => {
  const files = ['edge.pb', 'small-express4.pb', 'express5-pg-redis-512-0.pb'];

  test.each(files)('%s: with nothing chosen the bytes are the same ones', (file) => {
    const body = fixture(file);
    expect(spliceProtobuf(body, () => false)).toBe(body);
  });

  test.each(files)('%s: a library reads the chosen spans with their additions, and nothing else changed', (file) => {
    const body = fixture(file);
    const random = seededRandom(5);
    const chosen = Array.from({ length: 512 }, () => random() < 0.2);
    for (const isChosen of [(index: number) => chosen[index] === true, () => true, (index: number) => index === 0]) {
      const spliced = spliceProtobuf(body, isChosen);
      const read = TraceRequest.toObject(TraceRequest.decode(spliced), { longs: String, bytes: String, arrays: true });
      expect(read).toEqual(expectedObject(body, isChosen));
    }
  });

  test('unknown fields stay where they are, and empty envelopes', () => {
    const ids = concat([field.message(1, new Uint8Array(16).fill(1)), field.message(2, new Uint8Array(8).fill(2))]);
    const later = Uint8Array.from([0xa2, 0x06, 0x02, 0x68, 0x69]);
    const span = field.message(2, ids, later);
    const body = concat([
      field.message(1),
      later,
      field.message(1, field.message(2, later, span, later), later, field.message(2)),
      later,
    ]);
    const spliced = spliceProtobuf(body, () => true);
    const count = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1').split('\xa2\x06\x02hi').length - 1;
    expect(count(spliced)).toBe(count(body));
    expect(decodeTraceRequest(spliced).spans[0]?.attributes).toEqual(attributes);
    expect(decodeWithBuf(spliced).$unknown).toEqual(decodeWithBuf(body).$unknown);
  });

  test('lengths that grow by a byte are written anew at every level', () => {
    // Around 127 and 16383 the varints of the enclosing lengths become longer.
    for (const nameLength of [60, 70, 80, 90, 100, 110, 16_200, 16_280, 16_340, 16_383]) {
      const body = encodeRequest({
        resourceSpans: [
          {
            scopeSpans: [
              { spans: [{ traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 2), name: 'n'.repeat(nameLength) }] },
            ],
          },
        ],
      });
      const { spans } = decodeTraceRequest(spliceProtobuf(body, () => true));
      expect(spans).toMatchObject([{ name: 'n'.repeat(nameLength), attributes }]);
    }
  });
});

describe('attributes spliced into JSON', () => {
  test.each(['edge.json', 'small-express4.json', 'small-fastify.json', 'express5-pg-redis-512.json'])(
    '%s: only the chosen spans change',
    (file) => {
      const body = fixture(file);
      const { offsets } = decodeJson(body);
      expect(spliceJsonAttributes(body, [])).toBe(body);
      const random = seededRandom(6);
      const chosen = offsets.filter(() => random() < 0.3);
      const spliced = spliceJsonAttributes(
        body,
        chosen.map((offset) => ({ offset, attributes })),
      );
      const expected = JSON.parse(body.toString()) as Request;
      let index = 0;
      for (const span of expected.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)))
        if (chosen.includes(offsets[index++] ?? -1)) span.attributes.push(...added);
      expect(JSON.parse(Buffer.from(spliced).toString())).toEqual(expected);
    },
  );

  test.each([
    ['no attributes', ''],
    ['null', ',"attributes":null'],
    ['an empty list', ',"attributes": [ ]'],
    ['one', ',"attributes":[{"key":"]","value":{"stringValue":"]}"}} ] , "name":"x"'],
  ])('a span with %s gets them', (_, text) => {
    const ids = `"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"1112131415161718"`;
    const body = Buffer.from(`{"resourceSpans":[{"scopeSpans":[{"spans":[ {${ids}${text}} ]}]}]}`);
    const { offsets, spans } = decodeJson(body);
    const spliced = spliceJsonAttributes(
      body,
      offsets.map((offset) => ({ offset, attributes })),
    );
    expect(decodeJson(spliced).spans[0]?.attributes).toEqual({ ...spans[0]?.attributes, ...attributes });
  });
});
