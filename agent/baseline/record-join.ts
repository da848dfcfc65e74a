import type { Baseline, VersionRecord } from '../../protocol/rest/baseline.ts';

/**
 * What two agents know of one version, as one. In any order and any number of times the result is the same, so that records which were written at once
 * need no lock.
 */
export function joinRecords(a: VersionRecord, b: VersionRecord): VersionRecord {
  return {
    ...a,
    firstSeenAt: earlier(a.firstSeenAt, b.firstSeenAt),
    lastSeenAt: later(a.lastSeenAt, b.lastSeenAt),
    baseline: betterBaseline(a.baseline, b.baseline),
    profileSamples: Math.max(a.profileSamples, b.profileSamples),
  };
}

const kinds: readonly Baseline['kind'][] = ['provisional', 'settled', 'manual'];

/** A settled one stays, whoever took it, until one is asked for; a provisional one makes room. Of two of a kind the first holds, of two that were asked for the last. */
function betterBaseline(a: Baseline | null, b: Baseline | null): Baseline | null {
  if (a === null || b === null) return a ?? b;
  if (a.kind !== b.kind) return kinds.indexOf(a.kind) > kinds.indexOf(b.kind) ? a : b;
  const [ofA, ofB] = [orderOf(a), orderOf(b)];
  return a.kind === 'manual' ? (ofA >= ofB ? a : b) : ofA <= ofB ? a : b;
}

/** Two pods may take theirs in the same millisecond: then their contents decide. */
function orderOf(baseline: Baseline): string {
  return `${baseline.takenAt} ${JSON.stringify(baseline)}`;
}

function earlier(a: string, b: string): string {
  return Date.parse(a) <= Date.parse(b) ? a : b;
}

function later(a: string, b: string): string {
  return Date.parse(a) >= Date.parse(b) ? a : b;
}
