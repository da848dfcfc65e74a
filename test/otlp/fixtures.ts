import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../fixtures/otlp');

/** Bodies as the OpenTelemetry JS SDK sent them; `manifest.json` beside them says which version, and what is in them. */
export function fixture(name: string): Buffer {
  return readFileSync(join(folder, name));
}

interface Entry {
  readonly file: string;
  readonly spans: number;
  readonly traces: number;
  readonly errorSpans: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly scopes: Readonly<Record<string, number>>;
  readonly sumDurationNs: number;
}

export function manifest(): readonly Entry[] {
  const { files } = JSON.parse(fixture('manifest.json').toString()) as { files: Entry[] };
  return files;
}
