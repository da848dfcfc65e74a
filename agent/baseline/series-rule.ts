/** A scraped series to compare: `rate(http_errors_total{code=500}) +50% 0.1`. */
export interface SeriesRule {
  /** As it was written, without what it is to exceed: the name of the measure. */
  readonly text: string;
  readonly read: 'value' | 'rate' | { readonly quantile: number };
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly direction: 1 | -1;
  readonly share: number;
  readonly atLeast: number;
}

const form =
  /^(value|rate|p(\d{1,2}(?:\.\d{1,2})?))\(([A-Za-z_:][\w:]{0,199})(?:\{([^{}]{0,500})\})?\) ([+-])(\d{1,6})%(?: (\d{1,15}(?:\.\d{1,9})?))?$/;

/** Labels are divided by spaces: in options a comma divides values. The last number is the least difference, in the series' own unit. Undefined for any other text. */
export function parseSeriesRule(text: string): SeriesRule | undefined {
  const [, kind, quantile, name, labelText = '', sign, percent, atLeast = '0'] = form.exec(text) ?? [];
  if (kind === undefined || name === undefined || percent === undefined) return undefined;
  const labels = new Map<string, string>();
  for (const pair of labelText.split(' ').filter((part) => part !== '')) {
    const [, label, value] = /^([A-Za-z_]\w{0,99})=([^"]{0,200})$/.exec(pair) ?? [];
    if (label === undefined || value === undefined) return undefined;
    labels.set(label, value);
  }
  const share = Number(percent) / 100;
  if (share === 0 || (sign === '-' && share > 1)) return undefined;
  return {
    text: text.slice(0, text.indexOf(') ') + 1),
    read:
      quantile === undefined ? (kind as 'value' | 'rate') : { quantile: Number((Number(quantile) / 100).toFixed(6)) },
    name,
    labels: Object.fromEntries(labels),
    direction: sign === '-' ? -1 : 1,
    share,
    atLeast: Number(atLeast),
  };
}
