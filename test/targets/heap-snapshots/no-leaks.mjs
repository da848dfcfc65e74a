// Writes three snapshots, with work between them: a bounded cache, a burst of requests, a cache that warms up, and churn.
import { writeHeapSnapshot } from 'node:v8';

class Cached {}
class Requested {}
class Warmed {}
class Dropped {}
const state = { lru: new Map(), burst: [], warm: [] };
globalThis.state = state;
let id = 0;

function work(round) {
  for (let at = 0; at < 2_000; at++) {
    state.lru.set(id++, new Cached());
    if (state.lru.size > 1_000) state.lru.delete(state.lru.keys().next().value);
    void new Dropped();
  }
  state.burst = round === 1 ? Array.from({ length: 2_000 }, () => new Requested()) : [];
  if (round < 2) for (let at = 0; at < 1_000; at++) state.warm.push(new Warmed());
}

process.argv.slice(2).forEach((file, round) => {
  work(round);
  gc();
  writeHeapSnapshot(file);
});
process.exit(0);
