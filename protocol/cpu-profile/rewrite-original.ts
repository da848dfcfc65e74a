import { SidescopeError } from '../error.ts';
import type { SourcePositions } from '../source-map/original.ts';
import type { Frame } from './model.ts';
import { originalFrames, OriginalLines } from './originals.ts';
import { readRawProfile, unreadable } from './raw-profile.ts';

/** As values it takes some five times its text; an hour at 1 ms has 40 MB. */
const bytesMax = 64 * 1024 * 1024;

/**
 * The same .cpuprofile with original functions, files and lines, for DevTools and others that read nothing else. Nodes, samples and times
 * stay, also those of our own evaluations. Throws `unreadable-profile`, `analysis-limit`.
 */
export function rewriteCpuProfile(bytes: Uint8Array, positions: SourcePositions): Uint8Array<ArrayBuffer> {
  if (bytes.length > bytesMax) {
    throw new SidescopeError(
      'analysis-limit',
      `the profile has ${bytes.length} B, the limit for this is ${bytesMax} B`,
    );
  }
  const file = parse(bytes);
  const { nodes } = readRawProfile(file);
  const mapped = originalFrames(nodes.frames, positions);
  const lines = new OriginalLines(positions);
  file.nodes.forEach((node, index) => {
    const raw = nodes.frames[nodes.nodeFrames[index]!]!;
    const original = mapped[nodes.nodeFrames[index]!]!;
    if (original === raw) return;
    node.callFrame = { ...node.callFrame, ...rawFrame(original) };
    for (const tick of node.positionTicks ?? []) tick.line = lines.of(tick.line, { raw, original });
  });
  return new TextEncoder().encode(JSON.stringify(file));
}

function parse(bytes: Uint8Array): { nodes: RawNode[] } {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as { nodes: RawNode[] };
  } catch {
    // JSON.parse's own message quotes the text.
    throw unreadable(`${bytes.length} B that are no JSON text`);
  }
}

/** What is changed of it; `readRawProfile` has checked the shape. */
interface RawNode {
  callFrame: object;
  positionTicks?: { line: number }[];
}

/** V8 counts from 0 here. */
function rawFrame({ functionName, url, line, column }: Frame): object {
  return { functionName, url, lineNumber: line - 1, columnNumber: column - 1 };
}
