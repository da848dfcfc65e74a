// CPU in known shapes: recursion (`climb`), garbage (`litter`), a builtin (`sorted`), and idle time between the turns.
import './lifeline.cjs';

function climb(depth) {
  let x = 0;
  if (depth > 0) return climb(depth - 1) + 1;
  for (let i = 0; i < 4e5; i++) x = (x * 31 + i) | 0;
  return x;
}

function litter() {
  let kept = [];
  for (let i = 0; i < 3e4; i++) kept.push({ i, text: 'x' + i });
  return kept.length;
}

function sorted() {
  return Array.from({ length: 2e4 }, (_, i) => (i * 7919) % 20011).sort((a, b) => a - b);
}

setInterval(function turn() {
  for (let i = 0; i < 12; i++) climb(3);
  litter();
  sorted();
}, 20);
console.log('ready');
