import type { ParcelFacts } from './parcel.ts';
import { encodeUri } from './s3/sign.ts';

/** S3 takes 2 KB of names and values. */
const valueBytesMax = 200;
const labelsMax = 8;

/** What goes beside an artifact, by short names: enough to find it without opening it. Values are printable ASCII, the rest percent-encoded. */
export function metadataOf(facts: ParcelFacts, { isRedacted }: { isRedacted: boolean }): Record<string, string> {
  const { profile, environment, service } = facts;
  const all: Record<string, string | number | undefined> = {
    id: facts.id,
    kind: facts.kind,
    trigger: facts.trigger,
    target: facts.targetName,
    thread: facts.threadId,
    namespace: environment['namespace'],
    pod: environment['pod'],
    node: environment['node'],
    service: service['service'],
    version: service['version'],
    'node-version': profile?.target.nodeVersion,
    'started-at': new Date(facts.startedAtMs).toISOString(),
    'duration-ms': Math.round(facts.endedAtMs - facts.startedAtMs),
    'sampling-interval-us': facts.intervalUs,
    complete: profile === undefined ? undefined : String(profile.complete),
    redacted: facts.kind === 'heap-snapshot' ? String(isRedacted) : undefined,
    ...Object.fromEntries(
      Object.entries(facts.labels)
        .slice(0, labelsMax)
        .map(([name, value]) => [`label-${name.toLowerCase().replace(/[^a-z0-9-]/g, '-')}`, value]),
    ),
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, printable(String(value))]])),
  );
}

function printable(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]|%/g, (one) => encodeUri(one.isWellFormed() ? one : '?'));
  return plain.slice(0, valueBytesMax);
}
