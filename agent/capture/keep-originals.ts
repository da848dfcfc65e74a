import { SidescopeError } from '../../protocol/error.ts';
import type { SourceMapsSummary } from '../../protocol/rest/profile.ts';
import { missingMapsWarning } from '../source-maps/summary.ts';
import type { ProfileStore } from '../store/store.ts';
import type { WorkerResults } from './profile-worker-child.ts';

/**
 * Puts aside where the functions of a profile come from and the source text around its hot lines, and says what is missing. Before the profile is finished: whoever sees it can export
 * it with its original names.
 */
export function keepOriginals(
  job: { readonly store: Pick<ProfileStore, 'saveSourcePositions' | 'saveSourceLines'> },
  parts: {
    profileId: string;
    originals: WorkerResults['facts']['originals'] | undefined;
    warnings: string[];
  },
): SourceMapsSummary | undefined {
  const { profileId, originals, warnings } = parts;
  const { sourceMaps, positions, sourceLines } = originals ?? {};
  if (sourceMaps === undefined) return undefined;
  const missing = missingMapsWarning(sourceMaps);
  if (missing !== undefined) warnings.push(missing);
  keep('exports show compiled places: the original ones could not be kept', warnings, () => {
    if (positions !== undefined) job.store.saveSourcePositions(profileId, positions);
  });
  keep('its source lines could not be kept', warnings, () => {
    if (sourceLines !== undefined) job.store.saveSourceLines(profileId, sourceLines);
  });
  return sourceMaps;
}

function keep(failure: string, warnings: string[], save: () => void): void {
  try {
    save();
  } catch (error) {
    if (!(error instanceof SidescopeError)) throw error;
    warnings.push(`${failure}: ${error.message}`);
  }
}
