/** What is bought. Types are here so that lines of the compiled text differ from these. */
export interface Order {
  readonly quantities: readonly number[];
}

type Currency = 'EUR' | 'CHF';

export class PriceBook {
  readonly #currency: Currency;

  constructor(currency: Currency) {
    this.#currency = currency;
  }

  /** Keeps the thread busy until then. */
  totalUntil(order: Order, endMs: number): string {
    const total: number = addSurcharges(order, endMs);
    return `${total} ${this.#currency}`;
  }
}

function addSurcharges(order: Order, endMs: number): number {
  let total = 0;
  while (performance.now() < endMs) {
    for (let round = 0; round < 10_000; round++) {
      for (const quantity of order.quantities) total = (total * 31 + quantity) | 0;
    }
  }
  return total;
}
