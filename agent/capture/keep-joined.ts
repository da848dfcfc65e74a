import fs from 'node:fs';
import { SidescopeError } from '../../protocol/error.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { SourceMapContext } from '../source-maps/find-positions.ts';
import type { ArtifactWriter } from '../store/artifact.ts';
import type { ProfileStore } from '../store/store.ts';
import { keepOriginals } from './keep-originals.ts';
import type { ProfileWorker } from './profile-worker.ts';
import type { Originals } from './profile-worker-child.ts';
import { removeJoined, type JoinedWindows, type WindowSource } from './write-joined.ts';

export interface JoinedProfileOptions {
  readonly store: Pick<ProfileStore, 'saveSourcePositions' | 'saveSourceLines'>;
  readonly worker: ProfileWorker;
  /** It is finished, or abandoned when this rejects. */
  readonly writer: ArtifactWriter;
  readonly startedAtMs: number;
  readonly sources: readonly WindowSource[];
  readonly sourceMaps: SourceMapContext | undefined;
  readonly endedAtMs: number;
  readonly clock: Profile['clock'];
  readonly pauseMs: number | null;
  readonly warnings: readonly string[];
  /** Why it is not all that was asked for. */
  incompleteReason(joined: JoinedWindows): string | null;
}

/** Joins windows in the worker and stores the result as one CPU profile. Rejects as the store and the worker do, with nothing left behind. */
export async function keepJoined(options: JoinedProfileOptions): Promise<Profile> {
  const { store, worker, writer, sources, sourceMaps, startedAtMs, endedAtMs } = options;
  const joinedPath = `${writer.temporaryPath}.joined`;
  try {
    const joined = await worker.join(joinedPath, sources);
    for await (const piece of fs.createReadStream(joinedPath, { highWaterMark: 128 * 1024 }) as AsyncIterable<Buffer>)
      await writer.write(piece);
    await writer.flush();
    const warnings = [...options.warnings, ...joined.problems, ...gapWarnings(joined)];
    const { facts, originals } = await factsOf(worker, { path: joinedPath, sourceMaps, warnings });
    const mapped = keepOriginals({ store }, { profileId: writer.profileId, originals, warnings });
    const reason = options.incompleteReason(joined);
    return await writer.finish({
      endedAt: new Date(endedAtMs).toISOString(),
      durationMs: Math.max(0, endedAtMs - startedAtMs),
      complete: reason === null,
      incompleteReason: reason,
      cost: { pauseMs: options.pauseMs, rssBeforeBytes: null, rssAfterBytes: null, rssPeakBytes: null },
      cpu: facts,
      snapshot: null,
      sampling: null,
      ...(mapped !== undefined && { sourceMaps: mapped }),
      clock: options.clock,
      warnings,
    });
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    await removeJoined(joinedPath);
  }
}

function gapWarnings({ gaps }: JoinedWindows): string[] {
  const sumUs = gaps.reduce((sum, { fromUs, toUs }) => sum + toUs - fromUs, 0);
  if (gaps.length === 0) return [];
  const what = gaps.length === 1 ? 'one gap' : `${gaps.length} gaps`;
  return [`${(sumUs / 1e6).toFixed(1)} s are not recorded, in ${what}: (not recorded) stands there`];
}

async function factsOf(
  worker: ProfileWorker,
  { path, sourceMaps, warnings }: { path: string; sourceMaps: SourceMapContext | undefined; warnings: string[] },
): Promise<{ facts: Profile['cpu']; originals: Originals | undefined }> {
  try {
    return await worker.facts(path, { sourceMaps });
  } catch (error) {
    if (!(error instanceof SidescopeError) || error.code === 'shutting-down') throw error;
    warnings.push(`the profile could not be checked: ${error.message}`);
    return { facts: null, originals: undefined };
  }
}
