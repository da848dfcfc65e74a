import type { MetricType, SampleRole } from './model.ts';
import type { KnownSeries } from './series-cache.ts';

/** Finds the family of a series by its name and the types that the page declared. A name that is declared itself goes before one with a suffix. */
export function resolveFamily(series: KnownSeries, types: ReadonlyMap<string, MetricType>): void {
  const own = types.get(series.name);
  if (own !== undefined) {
    const isQuantile = own === 'summary' && 'quantile' in series.labels;
    assign(series, {
      family: series.name,
      type: own,
      role: isQuantile ? 'quantile' : own === 'counter' ? 'total' : 'value',
    });
    return;
  }
  const underscore = series.name.lastIndexOf('_');
  const suffix = series.name.slice(underscore + 1);
  const stem = series.name.slice(0, underscore);
  const role = Object.hasOwn(suffixes, suffix) ? suffixes[suffix] : undefined;
  const type = role === undefined ? undefined : types.get(stem);
  if (role !== undefined && type !== undefined && role.types.includes(type))
    assign(series, { family: stem, type, role: role.role });
  else assign(series, { family: series.name, type: 'unknown', role: 'value' });
}

const suffixes: Readonly<Record<string, { readonly role: SampleRole; readonly types: readonly MetricType[] }>> = {
  total: { role: 'total', types: ['counter'] },
  bucket: { role: 'bucket', types: ['histogram', 'gaugehistogram'] },
  count: { role: 'count', types: ['histogram', 'summary'] },
  sum: { role: 'sum', types: ['histogram', 'summary'] },
  gcount: { role: 'count', types: ['gaugehistogram'] },
  gsum: { role: 'sum', types: ['gaugehistogram'] },
  created: { role: 'created', types: ['counter', 'histogram', 'summary'] },
  info: { role: 'value', types: ['info'] },
};

function assign(series: KnownSeries, { family, type, role }: Pick<KnownSeries, 'family' | 'type' | 'role'>): void {
  series.family = family;
  series.type = type;
  series.role = role;
  series.isCumulative = type !== 'gaugehistogram' && ['total', 'bucket', 'count', 'sum'].includes(role);
}
