/** The file's own shape, as V8 writes it; tests break it on purpose. */
export interface ProfileFile {
  nodes: NodeEntry[];
  startTime: number;
  endTime: number;
  samples: number[];
  timeDeltas: number[];
}

export interface NodeEntry {
  id: number;
  callFrame: { functionName: string; scriptId: string; url: string; lineNumber: number; columnNumber: number };
  hitCount?: number;
  children?: number[];
  positionTicks?: { line: number; ticks: number }[];
}

/**
 * A file from stacks in order of time, one millisecond each: `main;fib 2` is two samples. A frame may name its place,
 * `fib@file:///srv/app.js:12` (line 1-based). The end is one interval after the last sample.
 */
export function fileOf(...stacks: string[]): ProfileFile {
  const file: ProfileFile = {
    nodes: [entry(1, '(root)')],
    startTime: 5_000_000,
    endTime: 0,
    samples: [],
    timeDeltas: [],
  };
  const ids = new Map([['', 1]]);
  for (const stack of stacks) {
    const [, path = '', count = '1'] = /^(.*?)(?: (\d+))?$/.exec(stack)!;
    for (let sample = 0; sample < Number(count); sample++) {
      file.samples.push(addPath(file, ids, path.split(';')));
      file.timeDeltas.push(1_000);
    }
  }
  file.endTime = file.startTime + (file.samples.length + 1) * 1_000;
  return file;
}

/** A random tree whose functions repeat, with samples on random nodes. */
export function randomFile(seed: number, { nodes, samples }: { nodes: number; samples: number }): ProfileFile {
  const random = seeded(seed);
  const file: ProfileFile = {
    nodes: [entry(1, '(root)')],
    startTime: 1_000,
    endTime: 1_000,
    samples: [],
    timeDeltas: [],
  };
  for (let id = 2; id <= nodes; id++) {
    const parent = file.nodes[Math.max(0, file.nodes.length - 1 - Math.floor(random() * 6))]!;
    (parent.children ??= []).push(id);
    file.nodes.push(entry(id, `f${Math.floor(random() * 8)}@file:///srv/app.js:${Math.floor(random() * 3) + 1}`));
  }
  for (let sample = 0; sample < samples; sample++) {
    file.samples.push(1 + Math.floor(random() * nodes));
    file.timeDeltas.push(Math.floor(random() * 2_000));
    file.endTime += file.timeDeltas.at(-1)!;
  }
  return file;
}

export function bytesOf(file: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(file));
}

export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

function addPath(file: ProfileFile, ids: Map<string, number>, frames: readonly string[]): number {
  let parent = 1;
  frames.forEach((frame, depth) => {
    const path = frames.slice(0, depth + 1).join(';');
    let id = ids.get(path);
    if (id === undefined) {
      id = file.nodes.length + 1;
      ids.set(path, id);
      file.nodes.push(entry(id, frame));
      (file.nodes[parent - 1]!.children ??= []).push(id);
    }
    parent = id;
  });
  return parent;
}

function entry(id: number, frame: string): NodeEntry {
  const [, functionName = '', url = '', line = '0'] = /^(.*?)(?:@(.*?)(?::(\d+))?)?$/.exec(frame)!;
  const scriptId = url === '' ? '0' : '7';
  return { id, callFrame: { functionName, scriptId, url, lineNumber: Number(line) - 1, columnNumber: -1 } };
}
