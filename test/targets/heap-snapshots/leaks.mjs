// Writes three snapshots, with work between them; seven kinds of leak, each with a class of its own.
import { EventEmitter } from 'node:events';
import { writeHeapSnapshot } from 'node:v8';

class InMap {}
class InSet {}
class InArray {}
class InObject {}
class ByListener {}
class ByTimer {}
class ByPromise {}
class ByClosure {}
class InList {}
const state = {
  map: new Map(),
  set: new Set(),
  array: [],
  object: {},
  emitter: new EventEmitter(),
  closures: [],
  list: undefined,
};
state.emitter.setMaxListeners(0);
globalThis.state = state;
let count = 0;
const never = new Promise(() => {});
globalThis.never = never;

function work() {
  for (let at = 0; at < 500; at++) {
    const id = count++;
    state.map.set(id, new InMap());
    state.set.add(new InSet());
    state.array.push(new InArray());
    state.object[`key-${id}`] = new InObject();
    const [listened, awaited, closed, timed] = [new ByListener(), new ByPromise(), new ByClosure(), new ByTimer()];
    state.emitter.on('event', () => listened);
    never.then(() => awaited);
    state.closures.push(() => closed);
    setTimeout(() => timed, 1e8);
    const item = new InList();
    item.next = state.list;
    state.list = item;
  }
}

for (const file of process.argv.slice(2)) {
  work();
  gc();
  writeHeapSnapshot(file);
}
process.exit(0);
