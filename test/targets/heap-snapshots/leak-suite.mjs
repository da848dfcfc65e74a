// Runs a program of ../leaks faster than its clock: `--steps=N` of its steps before each of the snapshots.
import { writeHeapSnapshot } from 'node:v8';

const option = (name) => process.argv.find((argument) => argument.startsWith(`--${name}=`)).slice(name.length + 3);
const files = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const start = globalThis.setInterval;
let step;
globalThis.setInterval = (work, ms) => (ms === 20 && step === undefined ? (step = work) : start(work, ms));
await import(`../leaks/${option('program')}.mjs`);

for (const file of files) {
  for (let count = Number(option('steps')); count > 0; count--) {
    step();
    await new Promise(setImmediate);
  }
  gc();
  writeHeapSnapshot(file);
}
process.exit(0);
