// Two functions that compute and allocate, a third of a core in all: `price` takes as many parts of ten of it as the argument says, `render` the others.
import './lifeline.cjs';

const parts = Number(process.argv[2] ?? 5);
let kept = [];

function price(endMs) {
  let sum = 0;
  for (let round = 0; performance.now() < endMs; round++) {
    for (let i = 0; i < 1_000; i++) sum = (sum * 31 + i) % 1_000_003;
    if (round % 20 === 0) kept.push(new Array(2_000).fill(sum));
  }
  return sum;
}

function render(endMs) {
  let text = 0;
  for (let round = 0; performance.now() < endMs; round++) {
    for (let i = 0; i < 1_000; i++) text = (text * 17 + i) % 999_983;
    if (round % 20 === 0) kept.push(new Array(2_000).fill(text));
  }
  return text;
}

setInterval(() => {
  if (kept.length > 1_000) kept = [];
  price(performance.now() + parts);
  render(performance.now() + 10 - parts);
}, 30);
console.log('ready');
