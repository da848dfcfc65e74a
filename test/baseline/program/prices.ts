/** What a page shows. Types are here so that lines of the bundle differ from these. */
export interface Page {
  readonly quantities: readonly number[];
}

const pricesRounds = 1;

export function renderPrices(page: Page, units: number): number {
  let total: number = 0;
  for (let round = 0; round < pricesRounds * units; round++)
    for (const quantity of page.quantities) total = (total * 31 + quantity) | 0;
  return total;
}
