import { keyOfPlace, type LineRow, type SourcePositions } from '../source-map/original.ts';
import { FrameTable } from './frame-table.ts';
import type { CpuProfile, Frame } from './model.ts';

/** What to ask of the source maps for a whole profile: its functions, and the lines that V8 saw executing. */
export function placesOf(profile: CpuProfile): {
  places: readonly Frame[];
  lines: { url: string; line: number }[];
} {
  const lines = new Map<string, { url: string; line: number }>();
  profile.nodeFrames.forEach((frame, node) => {
    const { url } = profile.frames[frame]!;
    for (let at = profile.lineStarts[node]!; at < profile.lineStarts[node + 1]!; at++) {
      const line = profile.lines[at]!;
      lines.set(`${line}\n${url}`, { url, line });
    }
  });
  return { places: profile.frames, lines: [...lines.values()] };
}

/** The frames as their authors wrote them, in the same order; those that no source map knew stay as they are. */
export function originalFrames(frames: readonly Frame[], { places }: SourcePositions): Frame[] {
  const rows = new Map(
    places.map((row) => {
      const [url, line, column, functionName] = row;
      return [keyOfPlace({ url, line, column, functionName }), row];
    }),
  );
  return frames.map((frame) => {
    const row = rows.get(keyOfPlace(frame));
    if (row === undefined) return frame;
    const [, , , , url, line, column, functionName] = row;
    return { functionName, url, scriptId: frame.scriptId, line, column };
  });
}

/** The same profile with original functions and lines; what is one function there is one here. Samples, times and nodes are those of V8. */
export function originalCpuProfile(profile: CpuProfile, positions: SourcePositions): CpuProfile {
  const mapped = originalFrames(profile.frames, positions);
  const table = new FrameTable();
  const indexOfFrame = mapped.map((frame) => table.indexOf(frame));
  return {
    ...profile,
    frames: table.frames,
    nodeFrames: profile.nodeFrames.map((frame) => indexOfFrame[frame]!),
    ...originalLines(profile, { mapped, positions }),
  };
}

/** Where V8 saw a function executing. */
export class OriginalLines {
  readonly #rows: ReadonlyMap<string, LineRow>;

  constructor({ lines }: SourcePositions) {
    this.#rows = new Map(lines.map((row) => [`${row[1]}\n${row[0]}`, row]));
  }

  /** A line that no map knows alone, as in minified text, becomes that of the function. */
  of(line: number, places: { raw: Frame; original: Frame }): number {
    return this.known(line, places) ?? places.original.line;
  }

  /** Undefined where no map knows the line alone. */
  known(line: number, { raw, original }: { raw: Frame; original: Frame }): number | undefined {
    if (original === raw) return line;
    const row = this.#rows.get(`${line}\n${raw.url}`);
    return row !== undefined && row[2] === original.url ? row[3] : undefined;
  }
}

function originalLines(
  profile: CpuProfile,
  { mapped, positions }: { mapped: readonly Frame[]; positions: SourcePositions },
): Pick<CpuProfile, 'lineStarts' | 'lines' | 'lineSamples'> {
  const originals = new OriginalLines(positions);
  const lineStarts = new Uint32Array(profile.lineStarts.length);
  const lines: number[] = [];
  const lineSamples: number[] = [];
  profile.nodeFrames.forEach((frame, node) => {
    const places = { raw: profile.frames[frame]!, original: mapped[frame]! };
    const samplesOfLine = new Map<number, number>();
    for (let at = profile.lineStarts[node]!; at < profile.lineStarts[node + 1]!; at++) {
      const line = originals.of(profile.lines[at]!, places);
      samplesOfLine.set(line, (samplesOfLine.get(line) ?? 0) + profile.lineSamples[at]!);
    }
    for (const [line, samples] of samplesOfLine) {
      lines.push(line);
      lineSamples.push(samples);
    }
    lineStarts[node + 1] = lines.length;
  });
  return { lineStarts, lines: Uint32Array.from(lines), lineSamples: Uint32Array.from(lineSamples) };
}
