import type { DiskUsage } from '../../protocol/rest/profile.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';

/** How much of the budget is used. Near its end the oldest unpinned profiles go first: that is normal, and said. */
export function DiskGauge({ storage }: { storage: DiskUsage }) {
  const { usedBytes, budgetBytes } = storage;
  const title =
    `${storage.directory}: ${formatBytes(usedBytes)} of ${formatBytes(budgetBytes)}. ` +
    `Kept: at most ${formatCount(storage.retentionCount)} profiles, for ${formatDuration(storage.retentionAgeMs)}, ` +
    'the oldest unpinned go first.';
  return (
    <span class="disk" title={title}>
      <meter
        aria-label="Disk used"
        min={0}
        max={Math.max(budgetBytes, 1)}
        high={budgetBytes * 0.9}
        value={Math.min(usedBytes, budgetBytes)}
      />
      {formatBytes(usedBytes)} of {formatBytes(budgetBytes)}
      {storage.temporary && <strong class="warn-text"> temporary: gone with the agent</strong>}
    </span>
  );
}
