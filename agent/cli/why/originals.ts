import { originalCpuProfile, placesOf } from '../../../protocol/cpu-profile/originals.ts';
import { keyOfPlace } from '../../../protocol/source-map/original.ts';
import {
  findPositions,
  type FoundPositions,
  type PositionsQuery,
  type SourceMapContext,
} from '../../source-maps/find-positions.ts';
import { originalFrame, placeOfRow, placesOfFrame } from '../../source-maps/frame-places.ts';
import type { Observation } from './observe.ts';

/** The same observation with the functions and places of the source, where source maps on the target's disk know them. */
export function originalObservation(observation: Observation, context: SourceMapContext): Observation {
  const { threads, profile } = observation;
  const frames = threads.flatMap(({ samples }) => samples.flatMap((sample) => sample.frames ?? []));
  const ofProfile = profile === null ? { places: [], lines: [] } : placesOf(profile);
  const query = { places: [...frames.flatMap(placesOfFrame), ...ofProfile.places], lines: ofProfile.lines };
  const { positions } = readPositions(query, context);
  if (positions.places.length === 0) return observation;
  const rows = new Map(positions.places.map((row) => [keyOfPlace(placeOfRow(row)), row]));
  const nameFrame = (frame: (typeof frames)[number]): typeof frame =>
    originalFrame(frame, (place) => rows.get(keyOfPlace(place))) ?? frame;
  return {
    ...observation,
    threads: threads.map((thread) => ({
      ...thread,
      samples: thread.samples.map((sample) => ({ ...sample, frames: sample.frames?.map(nameFrame) ?? null })),
    })),
    profile: profile && originalCpuProfile(profile, positions),
  };
}

/** The answer is due, with or without them. */
function readPositions(query: PositionsQuery, context: SourceMapContext): Pick<FoundPositions, 'positions'> {
  try {
    return findPositions(query, context);
  } catch {
    // A disk that fails, or a process that ends meanwhile: V8's places are there, and are what is shown.
    return { positions: { places: [], lines: [] } };
  }
}
