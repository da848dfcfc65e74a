import type { MeasuresReading } from '../../protocol/inspector/vitals-readings.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';

const maxNames = 50;

/** The application's own entries that ended since the reading before, by name. Null at the first reading, which has nothing to compare with. */
export function newMeasures(
  before: MeasuresReading | null | undefined,
  now: MeasuresReading | null,
): Vitals['measures'] {
  if (before === undefined || before === null || now === null) return null;
  const fresh = now.last.filter(([, startMs, durationMs]) => startMs + durationMs > before.nowMs);
  const byName = new Map<string, { count: number; totalMs: number; maxMs: number }>();
  for (const [name, , durationMs] of fresh) {
    const sum = byName.get(name) ?? { count: 0, totalMs: 0, maxMs: 0 };
    sum.count += 1;
    sum.totalMs += durationMs;
    sum.maxMs = Math.max(sum.maxMs, durationMs);
    byName.set(name, sum);
  }
  const wasCleared = now.total < before.total || (before.total > 0 && now.firstMs !== before.firstMs);
  const isCut = fresh.length === now.last.length && now.total > now.last.length;
  return {
    entries: [...byName].slice(0, maxNames).map(([name, sum]) => ({ name, ...sum })),
    mayHaveMissed: wasCleared || isCut,
  };
}
