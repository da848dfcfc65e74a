import type { StoredArtifact } from './profile-index.ts';

export type EvictionReason = 'budget' | 'count' | 'age';

interface Shelf {
  /** Every artifact there is, oldest first. */
  readonly artifacts: readonly StoredArtifact[];
  readonly isInUse: (id: string) => boolean;
}

/**
 * The oldest that have to go so that `neededBytes` come free; undefined when all that may go would not do: then nothing
 * should be removed for a capture that cannot be kept anyway.
 */
export function evictForRoom(shelf: Shelf, neededBytes: number): StoredArtifact[] | undefined {
  const victims: StoredArtifact[] = [];
  let freed = 0;
  for (const artifact of evictable(shelf)) {
    if (freed >= neededBytes) break;
    victims.push(artifact);
    freed += artifact.diskBytes;
  }
  return freed >= neededBytes ? victims : undefined;
}

/** Those over the limits of count and age. A limit of 0 is no limit. Artifacts that may not go still count. */
export function evictByLimits(
  shelf: Shelf,
  limits: { retentionCount: number; retentionAgeMs: number; nowMs: number },
): { artifact: StoredArtifact; reason: EvictionReason }[] {
  const { retentionCount, retentionAgeMs, nowMs } = limits;
  let excess = retentionCount > 0 ? shelf.artifacts.length - retentionCount : 0;
  const victims: { artifact: StoredArtifact; reason: EvictionReason }[] = [];
  for (const artifact of evictable(shelf)) {
    const isOld = retentionAgeMs > 0 && artifact.endedMs < nowMs - retentionAgeMs;
    if (!isOld && excess <= 0) continue;
    victims.push({ artifact, reason: isOld ? 'age' : 'count' });
    excess--;
  }
  return victims;
}

/** The newest is kept whatever the limits say: it is what somebody has just waited for. */
function evictable({ artifacts, isInUse }: Shelf): StoredArtifact[] {
  return artifacts.slice(0, -1).filter((artifact) => !artifact.pinned && !isInUse(artifact.id));
}
