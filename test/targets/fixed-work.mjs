// On any message: the same work each time (objects, strings, JSON, closures, a sort), about 3 s of CPU in many turns of the loop, then `worked <cpu ms>`.
import './lifeline.cjs';

const records = Array.from({ length: 2000 }, (_, id) => ({
  id,
  name: `record ${id}`,
  tags: [`a${id % 7}`, `b${id % 11}`],
}));

function turn(seed) {
  const text = JSON.stringify(records.slice(seed % 500, (seed % 500) + 400));
  const parsed = JSON.parse(text);
  const sorted = parsed.sort((a, b) => (a.name < b.name ? 1 : -1));
  return sorted.map(({ tags }) => tags.join('/')).filter((tag) => tag.includes(String(seed % 10))).length;
}

async function work(turns) {
  let sum = 0;
  for (let i = 0; i < turns; i++) {
    sum += turn(i);
    if (i % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return sum;
}

await work(500);
process.on('message', async () => {
  const before = process.cpuUsage();
  await work(18_000);
  const { user, system } = process.cpuUsage(before);
  console.log(`worked ${((user + system) / 1000).toFixed(1)}`);
});
setInterval(() => {}, 60_000);
console.log('ready');
