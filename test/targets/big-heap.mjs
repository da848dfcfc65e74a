// Holds about N MB (first argument, 100 unless told) of small live objects. The heap limit grows by execArgv:
// --max-old-space-size. On {snapshot: file}: v8.writeHeapSnapshot, then `wrote <ms>`.
import { getHeapStatistics, writeHeapSnapshot } from 'node:v8';
import './lifeline.cjs';

class Order {
  constructor(id) {
    this.id = id;
    this.customer = { name: `customer ${id % 1000}`, tags: ['a', id] };
    this.lines = [{ sku: id, amount: 1 }];
  }
}

const wantedBytes = Number(process.argv[2] ?? 100) * 1e6;
const orders = [];
const usedAtStartBytes = getHeapStatistics().used_heap_size;
while (getHeapStatistics().used_heap_size - usedAtStartBytes < wantedBytes) {
  for (let i = 0; i < 10_000; i++) orders.push(new Order(orders.length));
}

process.on('message', ({ snapshot }) => {
  const startMs = performance.now();
  writeHeapSnapshot(snapshot);
  console.log(`wrote ${(performance.now() - startMs).toFixed(1)}`);
});
setInterval(() => orders.length, 1000);
console.log('ready');
