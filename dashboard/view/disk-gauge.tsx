import type { DiskUsage } from '../../protocol/rest/profile.ts';
import { formatBytes, formatDuration, plural } from '../format.ts';

/** How much of the budget is used. Near its end the oldest unpinned profiles go first: that is normal, and said. */
export function DiskGauge({ storage }: { storage: DiskUsage }) {
  const { usedBytes, budgetBytes } = storage;
  const limits = [
    storage.retentionCount > 0 && `at most ${plural(storage.retentionCount, 'profile')}`,
    storage.retentionAgeMs > 0 && `for ${formatDuration(storage.retentionAgeMs)}`,
  ].filter((limit) => limit !== false);
  const kept = limits.length === 0 ? 'Kept until the room is needed' : `Kept: ${limits.join(', ')}`;
  const title = `${storage.directory}: ${formatBytes(usedBytes)} of ${formatBytes(budgetBytes)}. ${kept}; the oldest unpinned go first.`;
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
