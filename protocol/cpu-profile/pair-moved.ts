import type { Frame } from './model.ts';
import { functionKey, type SampleTree } from './sample-tree.ts';

/**
 * The same trees, functions of the first that are not in the second given the file that they seem to be in there: the same name, in a file of the same name but for a
 * directory or a hash (`chunk-3fa9c2d1.js`), and only one of that kind on either side.
 */
export function pairMoved(before: SampleTree, after: SampleTree): [SampleTree, SampleTree] {
  const [old, now] = [alone(before.frames, after.frames), alone(after.frames, before.frames)];
  const moved = new Map<string, string>();
  for (const [key, frame] of old) {
    const other = now.get(key);
    if (frame !== undefined && other !== undefined) moved.set(functionKey(frame), other.url);
  }
  if (moved.size === 0) return [before, after];
  const frames = before.frames.map((frame) => {
    const url = moved.get(functionKey(frame));
    return url === undefined ? frame : { ...frame, url };
  });
  return [{ ...before, frames }, after];
}

/** Functions with a name and a file that only this side has; undefined where several look alike. */
function alone(frames: readonly Frame[], others: readonly Frame[]): Map<string, Frame | undefined> {
  const there = new Set(others.map(functionKey));
  const found = new Map<string, Frame | undefined>();
  for (const frame of frames) {
    if (frame.functionName === '' || frame.url === '' || there.has(functionKey(frame))) continue;
    const key = `${frame.functionName}\n${plainFileName(frame.url)}`;
    const known = found.get(key);
    const isAnother = found.has(key) && (known === undefined || functionKey(known) !== functionKey(frame));
    found.set(key, isAnother ? undefined : frame);
  }
  return found;
}

/** `file:///app/dist/chunk-3fa9c2d1.mjs` -> `chunk.mjs`. A hash has a digit and 6 letters or more. */
function plainFileName(url: string): string {
  const name = url.slice(Math.max(url.lastIndexOf('/'), url.lastIndexOf('\\')) + 1);
  return name.replace(/[-._](?=[\w]*\d)[A-Za-z0-9_]{6,64}(?=\.)/g, '');
}
