import type { SeriesName, SeriesValues } from '../../protocol/rest/vitals.ts';
import { seriesKinds, seriesNames } from '../../protocol/rest/vitals.ts';

export interface SeriesRow {
  readonly atMs: number;
  readonly readings: number;
  readonly failed: number;
  readonly values: SeriesValues;
}

/** Several rows as one: means weighted by readings, or the highest. A value that no row has stays null. */
export function mergeRows(atMs: number, rows: readonly SeriesRow[]): SeriesRow {
  const values = Object.fromEntries(seriesNames.map((name) => [name, mergeValues(name, rows)]));
  return {
    atMs,
    readings: rows.reduce((sum, row) => sum + row.readings, 0),
    failed: rows.reduce((sum, row) => sum + row.failed, 0),
    values: values as Record<SeriesName, number | null>,
  };
}

function mergeValues(name: SeriesName, rows: readonly SeriesRow[]): number | null {
  let sum = 0;
  let weight = 0;
  let highest = -Infinity;
  for (const { values, readings } of rows) {
    const value = values[name];
    if (value === null) continue;
    sum += value * readings;
    weight += readings;
    highest = Math.max(highest, value);
  }
  if (weight === 0) return null;
  return seriesKinds[name] === 'max' ? highest : sum / weight;
}

/** 8 bytes a value, little-endian, NaN for null. Values are only ever added at the end: an older row is shorter. */
export function packValues(values: SeriesValues): Uint8Array {
  const bytes = new Uint8Array(seriesNames.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, name] of seriesNames.entries()) view.setFloat64(index * 8, values[name] ?? Number.NaN, true);
  return bytes;
}

export function unpackValues(bytes: Uint8Array): SeriesValues {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = (index: number): number | null => {
    if ((index + 1) * 8 > bytes.byteLength) return null;
    const value = view.getFloat64(index * 8, true);
    return Number.isNaN(value) ? null : value;
  };
  return Object.fromEntries(seriesNames.map((name, index) => [name, read(index)])) as Record<SeriesName, number | null>;
}
