import { seeded } from '../cpu-profile/profiles.ts';
import type { NodeEntry, ProfileFile } from '../cpu-profile/profiles.ts';

const packages = ['express', 'pg', '@scope/parser', 'pino'];

/** A .cpuprofile as a large service gives it: stacks some 30 deep, few hot ones, a thousand functions. */
export function largeProfile({ nodes, samples }: { nodes: number; samples: number }): ProfileFile {
  const random = seeded(7);
  const entries: NodeEntry[] = [entry(1, '(root)')];
  const depths = [0];
  for (let id = 2; id <= nodes; id++) {
    // Near the last ones: chains, with a new one beginning now and then.
    const back = random() < 0.9 ? Math.floor(random() * 4) : Math.floor(random() * entries.length);
    let parent = Math.max(0, entries.length - 1 - back);
    while (depths[parent]! > 60) parent = Math.floor(random() * entries.length);
    (entries[parent]!.children ??= []).push(id);
    depths.push(depths[parent]! + 1);
    const number = Math.floor(random() * 1_000);
    entries.push(entry(id, `handleThing${number}`, { url: urlOf(number), line: number % 400 }));
  }
  const ids = Array.from({ length: samples }, () => 1 + Math.floor(random() ** 3 * nodes));
  return {
    nodes: entries,
    startTime: 1_000_000,
    endTime: 1_000_000 + samples * 125,
    samples: ids,
    timeDeltas: Array.from({ length: samples }, () => 100 + Math.floor(random() * 50)),
  };
}

/** One stack of this depth, sampled ten times. */
export function deepProfile(depth: number): ProfileFile {
  const entries = [entry(1, '(root)')];
  for (let id = 2; id <= depth + 1; id++) {
    entries.at(-1)!.children = [id];
    entries.push(entry(id, `recurse${id}`, { url: 'file:///srv/app.js', line: 3 }));
  }
  return {
    nodes: entries,
    startTime: 1_000,
    endTime: 12_000,
    samples: Array.from({ length: 10 }, () => depth + 1),
    timeDeltas: Array.from({ length: 10 }, () => 1_000),
  };
}

function entry(id: number, functionName: string, place?: { url: string; line: number }): NodeEntry {
  const callFrame = {
    functionName,
    scriptId: place === undefined ? '0' : '9',
    url: place?.url ?? '',
    lineNumber: place?.line ?? -1,
    columnNumber: place === undefined ? -1 : 10,
  };
  return { id, callFrame, hitCount: 0 };
}

function urlOf(number: number): string {
  if (number % 10 === 0) return 'node:internal/streams/readable';
  if (number % 3 === 0)
    return `file:///srv/shop/node_modules/${packages[number % packages.length]}/lib/part${number}.js`;
  return `file:///srv/shop/src/services/module${number % 50}.js`;
}
