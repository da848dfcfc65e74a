import v8 from 'node:v8';
import vm from 'node:vm';

/** Less makes the collections cost more than they save; with more, dead chunks pass the agent's memory budget. */
const paceBytes = 16 * 1024 * 1024;

let bytesSinceLast = 0;
let collect: ((options: { type: 'minor' }) => void) | undefined;

/**
 * Call with the size of every chunk that passes through. V8 sees only the small handles of the chunks' memory, so left
 * alone it lets dead ones pile up; a minor collection (0.3-1 ms) every 16 MiB keeps that flat. Storing and reading a 600 MB
 * artifact peaks at 119 MiB of RSS with it and at 168 without.
 */
export function pacedGc(bytes: number): void {
  bytesSinceLast += bytes;
  if (bytesSinceLast < paceBytes) return;
  bytesSinceLast = 0;
  collect ??= exposeGc();
  collect({ type: 'minor' });
}

/** The flag counts for contexts made after it is set, so the function comes from a fresh one. */
function exposeGc(): (options: { type: 'minor' }) => void {
  v8.setFlagsFromString('--expose-gc');
  return vm.runInNewContext('gc') as (options: { type: 'minor' }) => void;
}
