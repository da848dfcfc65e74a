// The same work every 50 ms, as a service under steady load: 2 ms of CPU for the catalogue and 10 for the prices, on any machine.
import { renderPrices, type Page } from './prices.ts';

process.once('disconnect', () => process.exit(1));
const page: Page = { quantities: Array.from({ length: 100 }, (_, index) => index) };

function readCatalogue(pages: Page, units: number): number {
  let total: number = 0;
  for (let round = 0; round < units; round++)
    for (const quantity of pages.quantities) total = (total * 17 + quantity) | 0;
  return total;
}

function unitsPerMs(): number {
  const units = 200_000;
  readCatalogue(page, units);
  const before = process.cpuUsage();
  readCatalogue(page, units);
  const { user, system } = process.cpuUsage(before);
  return (units * 1000) / (user + system);
}

const perMs = unitsPerMs();
setInterval(readCatalogue, 50, page, 2 * perMs);
setInterval(renderPrices, 50, page, 10 * perMs);
console.log('ready');
