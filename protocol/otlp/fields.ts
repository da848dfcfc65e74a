/** How a field of an OTLP message is to be read; `Rule.unknown` is skipped whatever it holds. */
export const Rule = {
  unknown: 0,
  varint: 1,
  fixed64: 2,
  fixed32: 3,
  bytes: 4,
  string: 5,
  traceId: 6,
  spanId: 7,
  parentId: 8,
  /** A message: this plus its index in `messages`. */
  message: 16,
} as const;

const names = [
  'request',
  'resourceSpans',
  'scopeSpans',
  'span',
  'resource',
  'scope',
  'event',
  'link',
  'status',
  'keyValue',
  'anyValue',
  'arrayValue',
  'keyValueList',
  'entityRef',
] as const;
export type MessageName = (typeof names)[number];

type FieldRule = Exclude<keyof typeof Rule, 'unknown' | 'message'> | MessageName;

/** Field numbers of opentelemetry-proto 1.11 (trace, common, resource). What is not here is an unknown field. */
const definitions: Record<MessageName, Readonly<Record<number, FieldRule>>> = {
  request: { 1: 'resourceSpans' },
  resourceSpans: { 1: 'resource', 2: 'scopeSpans', 3: 'string' },
  scopeSpans: { 1: 'scope', 2: 'span', 3: 'string' },
  span: {
    1: 'traceId',
    2: 'spanId',
    3: 'string',
    4: 'parentId',
    5: 'string',
    6: 'varint',
    7: 'fixed64',
    8: 'fixed64',
    9: 'keyValue',
    10: 'varint',
    11: 'event',
    12: 'varint',
    13: 'link',
    14: 'varint',
    15: 'status',
    16: 'fixed32',
  },
  resource: { 1: 'keyValue', 2: 'varint', 3: 'entityRef' },
  scope: { 1: 'string', 2: 'string', 3: 'keyValue', 4: 'varint' },
  event: { 1: 'fixed64', 2: 'string', 3: 'keyValue', 4: 'varint' },
  link: { 1: 'bytes', 2: 'bytes', 3: 'string', 4: 'keyValue', 5: 'varint', 6: 'fixed32' },
  status: { 2: 'string', 3: 'varint' },
  // 3 and 8 are indexes into a string table that only profiles have.
  keyValue: { 1: 'string', 2: 'anyValue', 3: 'varint' },
  anyValue: {
    1: 'string',
    2: 'varint',
    3: 'varint',
    4: 'fixed64',
    5: 'arrayValue',
    6: 'keyValueList',
    7: 'bytes',
    8: 'varint',
  },
  arrayValue: { 1: 'anyValue' },
  keyValueList: { 1: 'keyValue' },
  entityRef: { 1: 'string', 2: 'string', 3: 'string', 4: 'string' },
};

/** Index of a message in `messages`. */
export const messageIndex = Object.fromEntries(names.map((name, index) => [name, index])) as Readonly<
  Record<MessageName, number>
>;

/** Rule by field number, for each message: flat, as the check reads one per field of a body. */
export const messages: readonly Uint8Array[] = names.map((name) => {
  const rules = new Uint8Array(32);
  for (const [number, rule] of Object.entries(definitions[name]))
    rules[Number(number)] = rule in messageIndex ? Rule.message + messageIndex[rule as MessageName] : scalarRule(rule);
  return rules;
});

export function fieldPath(message: number, field: number): string {
  return `${names[message] ?? 'message'}, field ${field}`;
}

function scalarRule(rule: FieldRule): number {
  return Rule[rule as keyof typeof Rule];
}
