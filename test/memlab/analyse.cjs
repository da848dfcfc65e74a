// node analyse.cjs FILE: classes of a snapshot by memlab's parser and dominators, as JSON, with time and peak memory.
'use strict';
const { join } = require('node:path');

// Not in its exports.
const inside = (file) => join(__dirname, 'node_modules/@memlab/core/dist', file);
const parser = require(inside('lib/HeapParser.js')).default;
const TraceFinder = require(inside('paths/TraceFinder.js')).default;
require(inside('lib/Config.js')).default.muteConsole = true;

async function analyse(file) {
  const startMs = performance.now();
  const snapshot = await parser.parse(file);
  new TraceFinder().calculateAllNodesRetainedSizes(snapshot);
  const classes = histogram(snapshot);
  const wallMs = performance.now() - startMs;
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpuMs = (userCPUTime + systemCPUTime) / 1_000;
  process.stdout.write(JSON.stringify({ wallMs, cpuMs, peakRssBytes: maxRSS * 1024, classes: classes.slice(0, 1000) }));
}

/** Its own answer lists objects; classes are summed here from its dominators, an object below its own class not again. */
function histogram(snapshot) {
  const count = snapshot.nodes.length;
  const children = Array.from({ length: count });
  const names = Array.from({ length: count });
  const classes = new Map();
  for (let at = 0; at < count; at++) {
    const node = snapshot.nodes.get(at);
    names[at] = className(node);
    const entry = classes.get(names[at]) ?? { name: names[at], count: 0, selfBytes: 0, retainedBytes: 0 };
    classes.set(names[at], entry);
    entry.count++;
    entry.selfBytes += node.self_size;
    if (at > 0) (children[node.dominatorNode.nodeIndex] ??= []).push(at);
  }
  const open = new Map();
  const stack = [[0, false]];
  while (stack.length > 0) {
    const [at, isLeaving] = stack.pop();
    const name = names[at];
    open.set(name, (open.get(name) ?? 0) + (isLeaving ? -1 : 1));
    if (isLeaving) continue;
    if (open.get(name) === 1) classes.get(name).retainedBytes += Number(snapshot.nodes.get(at).retainedSize);
    stack.push([at, true]);
    for (const child of children[at] ?? []) stack.push([child, false]);
  }
  return [...classes.values()].sort((a, b) => b.retainedBytes - a.retainedBytes);
}

function className({ type, name }) {
  if (type === 'object') return name;
  // It marks detached ones in their name.
  if (type === 'native') return name.replace(/^Detached /, '');
  return { code: '(compiled code)', closure: 'Function', regexp: 'RegExp', hidden: '(system)' }[type] ?? `(${type})`;
}

void analyse(process.argv[2]);
