// What all programs of this folder share: `every` runs a step every 20 ms, together with some garbage, as a service under steady load does.
// Seeded: `--seed=N`.
import '../lifeline.cjs';

let state = Number(process.argv.find((argument) => argument.startsWith('--seed='))?.slice(7) ?? 1) >>> 0;

export function random() {
  state = (state * 1664525 + 1013904223) >>> 0;
  return state / 2 ** 32;
}

export function numbers(count) {
  return Array.from({ length: count }, () => random());
}

function churn() {
  let sum = 0;
  for (let i = 0; i < 4; i++) sum += numbers(2_000).reduce((a, b) => a + b, 0);
  return sum;
}

// Called by name, as a router calls handlers: V8 credits what it inlines to the function that it is inlined into.
export function every(step) {
  const handlers = { step, churn };
  let count = 0;
  setInterval(() => {
    for (const name of Object.keys(handlers)) handlers[name](count);
    count++;
  }, 20);
  console.log('ready');
}
