import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { prometheusClientPath } from '../../.tools/prepare/prometheus-client.ts';
import type { MetricsFormat } from '../../protocol/prometheus/format.ts';

export interface ReferenceSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly type: string;
  readonly exemplar: { readonly labels: Readonly<Record<string, string>>; readonly value: number } | undefined;
}

type Row = [string, Record<string, string>, string, string, [Record<string, string>, string] | null];

/** What Prometheus' Python client reads in a page. Throws its words when it refuses the page. */
export function readWithPython(page: Uint8Array, format: MetricsFormat): ReferenceSample[] {
  const { status, stdout, stderr } = spawnSync('python3', [join(import.meta.dirname, 'reference.py'), format], {
    input: page,
    env: { ...process.env, PYTHONPATH: prometheusClientPath, PYTHONDONTWRITEBYTECODE: '1' },
    maxBuffer: 64 * 2 ** 20,
    timeout: 30_000,
  });
  if (status !== 0) throw new Error(stderr.toString());
  return (JSON.parse(stdout.toString()) as Row[]).map(([name, labels, value, type, exemplar]) => ({
    name,
    labels,
    value: number(value),
    type,
    exemplar: exemplar === null ? undefined : { labels: exemplar[0], value: number(exemplar[1]) },
  }));
}

function number(text: string): number {
  return text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text);
}
