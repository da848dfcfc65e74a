import type { Product } from './products.ts';

/** Burns CPU on purpose (about 80 ms): compares one product with the whole catalog, word by word. */
export function renderReport(product: Product, catalog: readonly Product[]): string {
  const scores = scoreProducts(product, catalog).slice(0, 10);
  const lines = scores.map(({ name, score }) => `${score.toFixed(3)}  ${name}`);
  return [`Products like ${product.name}`, '', ...lines, ''].join('\n');
}

function scoreProducts(product: Product, catalog: readonly Product[]): { name: string; score: number }[] {
  const wanted = trigramsOf(product);
  return catalog
    .map((other) => ({ name: other.name, score: similarity(wanted, trigramsOf(other)) }))
    .sort((a, b) => b.score - a.score || a.name.localeCompare(b.name));
}

function trigramsOf({ name, description }: Product): Set<string> {
  const text = `${name} ${description}`.toLowerCase();
  const trigrams = new Set<string>();
  for (let i = 0; i + 3 <= text.length; i++) trigrams.add(text.slice(i, i + 3));
  return trigrams;
}

function similarity(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const trigram of a) if (b.has(trigram)) shared++;
  return shared / (a.size + b.size - shared);
}
