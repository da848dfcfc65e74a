import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';

/** A merged profile as it is stored: which profiles are in it, then their tree as `ProfileWorker` made it. */
export interface StoredProfile {
  /** One id per profile that was added, in order of time. */
  readonly sources: readonly string[];
  /** How many more there were before those, of one that has very many. */
  readonly olderSources: number;
  readonly tree: Uint8Array;
}

/** With the name that it is stored under. */
export interface NamedProfile extends StoredProfile {
  readonly name: string;
}

/** They tell of two files whether one is in the other. Only those that are merged at the same time are, and they are young. */
export const sourcesMax = 500;
const treeBytesMax = 64 * 2 ** 20;

const headSchema = z.object({
  format: z.literal('sidescope-version-profile'),
  formatVersion: z.literal(1),
  sources: z.array(z.string().max(100)).min(1).max(sourcesMax),
  olderSources: z.int().min(0),
});

/** A line of JSON, the tree, and gzip around both. */
export async function encodeStoredProfile({ sources, olderSources, tree }: StoredProfile): Promise<Uint8Array> {
  const head = {
    format: 'sidescope-version-profile',
    formatVersion: 1,
    sources: sources.slice(-sourcesMax),
    olderSources: olderSources + Math.max(0, sources.length - sourcesMax),
  };
  return await promisify(gzip)(Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), tree]));
}

/** Rejects with what is wrong with it. */
export async function decodeStoredProfile(bytes: Uint8Array): Promise<StoredProfile> {
  const plain = await promisify(gunzip)(bytes, { maxOutputLength: treeBytesMax });
  const end = plain.indexOf('\n');
  if (end === -1) throw new Error('it has no line that says what it is');
  const head = headSchema.parse(JSON.parse(plain.toString('utf8', 0, end)));
  return { sources: head.sources, olderSources: head.olderSources, tree: plain.subarray(end + 1) };
}

/** Of some all sources are in others: where two agents merged at once, or one crashed between the write and the deletes. The order is the same for everybody. */
export function withoutCovered(profiles: readonly NamedProfile[]): { kept: NamedProfile[]; covered: NamedProfile[] } {
  const seen = new Set<string>();
  const [kept, covered]: [NamedProfile[], NamedProfile[]] = [[], []];
  const ordered = profiles.toSorted((a, b) => b.sources.length - a.sources.length || (a.name < b.name ? -1 : 1));
  for (const profile of ordered) {
    const isCovered = profile.olderSources === 0 && profile.sources.every((source) => seen.has(source));
    (isCovered ? covered : kept).push(profile);
    for (const source of profile.sources) seen.add(source);
  }
  return { kept, covered };
}
