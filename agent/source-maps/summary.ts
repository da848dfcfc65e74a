import type { SourceMapsSummary } from '../../protocol/rest/profile.ts';
import type { FoundPositions } from './find-positions.ts';

const listedMax = 20;
const warnedMax = 3;

/** For a profile's metadata. */
export function summarize({ mapped, missing, problem }: Omit<FoundPositions, 'positions'>): SourceMapsSummary {
  return { mapped, missing: missing.slice(0, listedMax), missingCount: missing.length, problem };
}

/** One sentence for all of them; undefined when none is missing. */
export function missingMapsWarning({ missing, missingCount }: SourceMapsSummary): string | undefined {
  if (missingCount === 0) return undefined;
  const named = missing.slice(0, warnedMax).map(({ path, reason }) => `${path} (${reason})`);
  const others = missingCount > named.length ? ` and ${missingCount - named.length} more` : '';
  return `no source map for ${missingCount} ${missingCount === 1 ? 'script' : 'scripts'}: ${named.join(', ')}${others}`;
}
