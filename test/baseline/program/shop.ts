// A service with as many requests as the parent says: each takes 2 ms of CPU for the catalogue and 8 for the prices, by the CPU clock, and one due that comes late is made up for.
import { cpuUs } from './cpu-clock.ts';
import { renderPrices, type Page } from './prices.ts';
import { addSpan, sendSpansTo } from './spans.ts';

interface Orders {
  readonly perSecond: number;
  readonly otlpUrl?: string;
}

const tickMs = 10;
const page: Page = { quantities: Array.from({ length: 100 }, (_, index) => index) };
let perSecond: number = 0;
let due: number = 0;
let lastMs: number = performance.now();

function readCatalogue(pages: Page, cpuMs: number): number {
  const endUs: number = cpuUs() + cpuMs * 1000;
  let total: number = 0;
  while (cpuUs() < endUs) for (let index = 0; index < 20_000; index++) total |= pages.quantities[index % 100] ?? 0;
  return total;
}

function serve(): void {
  const beforeUs: number = cpuUs();
  readCatalogue(page, 2);
  renderPrices(page, 8);
  addSpan('/page', (cpuUs() - beforeUs) / 1000);
}

setInterval(() => {
  const nowMs: number = performance.now();
  // Two seconds of requests may wait.
  due = Math.min(due + ((nowMs - lastMs) * perSecond) / 1000, 2 * perSecond);
  lastMs = nowMs;
  if (due < 1) return;
  due--;
  serve();
}, tickMs);

process.on('message', (orders: Orders) => {
  perSecond = orders.perSecond;
  if (orders.otlpUrl !== undefined) sendSpansTo(orders.otlpUrl);
});
process.once('disconnect', () => process.exit(1));
console.log('ready');
