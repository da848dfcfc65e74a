import type { ParcelFacts } from './parcel.ts';

/** What may stand between braces in the names that a destination gives. */
const places = {
  namespace: ({ environment }) => environment['namespace'],
  pod: ({ environment }) => environment['pod'],
  node: ({ environment }) => environment['node'],
  container: ({ environment }) => environment['container'],
  workload: ({ service, targetName }) => service['workload'] ?? service['service'] ?? targetName,
  service: ({ service, targetName }) => service['service'] ?? targetName,
  version: ({ service }) => service['version'],
  target: ({ targetName }) => targetName,
  thread: ({ threadId }) => threadId,
  kind: ({ kind }) => kind,
  trigger: ({ trigger }) => trigger,
  date: ({ startedAtMs }) => iso(startedAtMs).slice(0, 10),
  year: ({ startedAtMs }) => iso(startedAtMs).slice(0, 4),
  month: ({ startedAtMs }) => iso(startedAtMs).slice(5, 7),
  day: ({ startedAtMs }) => iso(startedAtMs).slice(8, 10),
  hour: ({ startedAtMs }) => iso(startedAtMs).slice(11, 13),
  time: ({ startedAtMs }) => `${iso(startedAtMs).slice(0, 19).replace(/[-:]/g, '')}Z`,
  id: ({ id }) => id,
} as const satisfies Record<string, (facts: ParcelFacts) => string | undefined>;

/** Below the prefix of a bucket or a directory; the extension is put behind it. */
export const defaultKey = '{namespace}/{workload}/{pod}/{date}/{time}-{kind}-{id}';

/** What is wrong with a template for keys; undefined when nothing is. */
export function keyProblem(template: string): string | undefined {
  const unknown = unknownPlace(template);
  if (unknown !== undefined) return unknown;
  if (!template.includes('{id}')) return 'must have {id} in it: otherwise one profile would replace another';
  const isPlain = /^[\w.\-/=+@{} ]{1,400}$/.test(template) && !/(^|\/)\.{1,2}(\/|$)|^\/|\/\/|\/$/.test(template);
  return isPlain ? undefined : 'must be a relative path without empty parts, dots alone, or unusual characters';
}

/** Undefined when all that stands between braces is known. */
export function unknownPlace(template: string): string | undefined {
  const unknown = [...template.matchAll(/\{([^{}]*)\}/g)].find(([, name = '']) => !Object.hasOwn(places, name));
  if (unknown === undefined) return undefined;
  return `${unknown[0].slice(0, 40)} is none of ${Object.keys(places).join(', ')}`;
}

/** Each place is one part of a path, `unknown` where nothing is known. */
export function fillKey(template: string, facts: ParcelFacts): string {
  return fill(template, facts, (value) => {
    const part = value.replace(/[^A-Za-z0-9._=@-]+/g, '_').slice(0, 120);
    // A name of dots alone would lead elsewhere.
    return /^\.*$/.test(part) ? '_' : part;
  });
}

export function fill(template: string, facts: ParcelFacts, clean: (value: string) => string): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const place = Object.hasOwn(places, name) ? places[name as keyof typeof places] : undefined;
    return place === undefined ? whole : clean(place(facts) ?? 'unknown');
  });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
