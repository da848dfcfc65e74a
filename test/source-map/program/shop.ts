// On {ms}: prints `blocking`, keeps the thread busy that long, prints `turned`.
import { writeSync } from 'node:fs';
import { PriceBook } from './prices.ts';
import type { Order } from './prices.ts';

process.once('disconnect', () => process.exit(1));
const order: Order = { quantities: [1, 2, 3] };
const book = new PriceBook('EUR');

process.on('message', ({ ms }: { ms: number }) => {
  writeSync(1, 'blocking\n');
  const total = book.totalUntil(order, performance.now() + ms);
  writeSync(1, `turned ${total}\n`);
});
console.log('ready');
