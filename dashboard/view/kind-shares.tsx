import type { KindShare } from '../../protocol/rest/timelines.ts';

/** A bar of the kinds, and the same in words. */
export function KindShares({ totals, summary }: { totals: readonly KindShare[]; summary: string }) {
  return (
    <div class="shares">
      <div class="share-bar" aria-hidden="true">
        {totals.map(({ kind, share }) => (
          <span key={kind} class={`span-${kind}`} style={{ width: `${share * 100}%` }} />
        ))}
      </div>
      <span>{summary}</span>
    </div>
  );
}
