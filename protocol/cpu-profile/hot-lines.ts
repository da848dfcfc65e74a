import { scriptPathOf, keyOfPlace, type SourcePositions } from '../source-map/original.ts';
import { sumNodes } from './call-tree.ts';
import type { CpuProfile, Frame } from './model.ts';
import { originalFrames, OriginalLines } from './originals.ts';

/** Samples by line, 1-based. */
export type LineSamples = ReadonlyMap<number, number>;

/** A function that V8 compiled, and where in its script it was seen executing. */
export interface GeneratedFunction {
  readonly frame: Frame;
  readonly path: string;
  readonly selfSamples: number;
  readonly lines: LineSamples;
}

export interface HotLines {
  /** As in the source, where a map knows it: several functions of V8 may be one. */
  readonly frame: Frame;
  readonly isMapped: boolean;
  readonly selfSamples: number;
  readonly selfUs: number;
  readonly lines: LineSamples;
  /** False: the maps know no line alone, as in minified text, and all stands at the function's first one. */
  readonly hasLines: boolean;
  /** The one with the most samples. */
  readonly generated: GeneratedFunction;
}

/** The functions with the most self time whose scripts are files, and the lines within them. */
export function findHotLines(profile: CpuProfile, positions: SourcePositions | undefined, limit: number): HotLines[] {
  const { selfUs, selfSamples } = sumNodes(profile);
  const mapped = positions === undefined ? profile.frames : originalFrames(profile.frames, positions);
  const originals = new OriginalLines(positions ?? { places: [], lines: [] });
  const paths = profile.frames.map(({ url }) => scriptPathOf(url));
  const functions = new Map<string, Building>();
  profile.nodeFrames.forEach((index, node) => {
    const path = paths[index];
    if (path === undefined || selfSamples[node] === 0) return;
    const places = { raw: profile.frames[index]!, original: mapped[index]! };
    const key = keyOfPlace(places.original);
    const building = functions.get(key) ?? begin(places);
    functions.set(key, building);
    building.selfUs += selfUs[node]!;
    building.selfSamples += selfSamples[node]!;
    const generated = building.generated.get(index) ?? {
      frame: places.raw,
      path,
      selfSamples: 0,
      lines: new Map<number, number>(),
    };
    building.generated.set(index, generated);
    generated.selfSamples += selfSamples[node]!;
    for (let at = profile.lineStarts[node]!; at < profile.lineStarts[node + 1]!; at++) {
      const line = profile.lines[at]!;
      if (originals.known(line, places) !== undefined) building.hasLines = true;
      add(building.lines, originals.of(line, places), profile.lineSamples[at]!);
      add(generated.lines, line, profile.lineSamples[at]!);
    }
  });
  return [...functions.values()]
    .toSorted((a, b) => b.selfUs - a.selfUs)
    .slice(0, limit)
    .map(({ generated, ...rest }) => {
      const [hottest] = [...generated.values()].toSorted((a, b) => b.selfSamples - a.selfSamples);
      return { ...rest, generated: hottest! };
    });
}

interface Building {
  readonly frame: Frame;
  readonly isMapped: boolean;
  selfSamples: number;
  selfUs: number;
  readonly lines: Map<number, number>;
  hasLines: boolean;
  readonly generated: Map<number, { frame: Frame; path: string; selfSamples: number; lines: Map<number, number> }>;
}

function begin({ raw, original }: { raw: Frame; original: Frame }): Building {
  return {
    frame: original,
    isMapped: original !== raw,
    selfSamples: 0,
    selfUs: 0,
    lines: new Map(),
    hasLines: false,
    generated: new Map(),
  };
}

function add(lines: Map<number, number>, line: number, samples: number): void {
  lines.set(line, (lines.get(line) ?? 0) + samples);
}
