// Writes one snapshot of a heap with known things in it; the name of the file is the first argument.
import { EventEmitter } from 'node:events';
import { writeHeapSnapshot } from 'node:v8';
import { createContext } from 'node:vm';

class Session {
  constructor(id) {
    this.id = id;
    this.user = { name: `user number ${id % 10}` };
  }
}
const planted = { cache: new Map(), emitter: new EventEmitter(), promises: [], handlers: [], byName: {} };
for (let id = 0; id < 2_000; id++) planted.cache.set(`session ${id}`, new Session(id));
for (let id = 0; id < 30; id++) planted.byName[`name-${id}`] = new Session(id);
planted.emitter.setMaxListeners(0);
for (let id = 0; id < 30; id++) {
  planted.emitter.on('data', function onData() {
    return id;
  });
}
for (let id = 0; id < 200; id++) {
  const promise = new Promise(() => {});
  promise.then(() => id);
  planted.promises.push(promise);
}
for (let id = 0; id < 1_500; id++) planted.handlers.push(() => id);
for (let id = 0; id < 150; id++) setTimeout(function tick() {}, 1e8 + id);
planted.context = createContext({});
planted.notes = Array.from({ length: 50 }, (_, id) =>
  JSON.parse(`"a note that is ${'long '.repeat(id % 2 === 0 ? 20 : 21)}"`),
);
planted.weak = new WeakMap([[planted.cache, JSON.parse('"only weakly named"')]]);
globalThis.planted = planted;
writeHeapSnapshot(process.argv[2]);
process.exit(0);
