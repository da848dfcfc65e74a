import { cpuUs } from './cpu-clock.ts';

/** What a page shows. Types are here so that lines of the bundle differ from these. */
export interface Page {
  readonly quantities: readonly number[];
}

const pricesRounds = 1;

export function renderPrices(page: Page, cpuMs: number): number {
  const endUs: number = cpuUs() + pricesRounds * cpuMs * 1000;
  let total: number = 0;
  while (cpuUs() < endUs) for (let index = 0; index < 20_000; index++) total ^= page.quantities[index % 100] ?? 0;
  return total;
}
