// On {ms}: prints `blocking`, keeps the thread busy that long, prints `turned`. With `remember`: keeps what it allocates.
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

const receipts: number[][] = [];
function rememberReceipts(): void {
  for (let i = 0; i < 20; i++) receipts.push(new Array<number>(2_000).fill(i));
  if (receipts.length > 2_000) receipts.splice(0, 1_000);
}
if (process.argv.includes('remember')) setInterval(rememberReceipts, 10);
console.log('ready');
