import type { ParcelFacts } from './parcel.ts';
import { encodeUri } from './s3/sign.ts';

const valueBytesMax = 200;
/** S3 refuses more than 2 KB of names and values, for good. */
const metadataBytesMax = 2_000;
const labelsMax = 8;
const prefix = 'x-amz-meta-';

/** What goes beside an artifact as headers of S3: enough to find it without opening it. Values are printable ASCII, the rest percent-encoded. */
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
  const kept: Record<string, string> = {};
  let leftBytes = metadataBytesMax;
  for (const [name, value] of Object.entries(all)) {
    if (value === undefined) continue;
    const text = printable(String(value));
    const sizeBytes = prefix.length + name.length + text.length;
    // Labels come last: they are the ones that there is no room for.
    if (sizeBytes > leftBytes) continue;
    leftBytes -= sizeBytes;
    kept[`${prefix}${name}`] = text;
  }
  return kept;
}

function printable(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]|%/g, (one) => encodeUri(one.isWellFormed() ? one : '?'));
  return plain.slice(0, valueBytesMax);
}
