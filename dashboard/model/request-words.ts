import type { SpanKind } from '../../protocol/otlp/span-kind.ts';
import type { Timeline } from '../../protocol/rest/timelines.ts';
import type { Tone } from './words.ts';

/** Word and sign of each kind: its colour never stands alone. */
export const kindSigns: Readonly<Record<SpanKind, { readonly word: string; readonly sign: string }>> = {
  server: { word: 'server', sign: '◆' },
  middleware: { word: 'middleware', sign: '▸' },
  handler: { word: 'handler', sign: '●' },
  database: { word: 'database', sign: '■' },
  'http-client': { word: 'HTTP call', sign: '↗' },
  messaging: { word: 'messaging', sign: '✉' },
  rpc: { word: 'RPC', sign: '⇄' },
  internal: { word: 'internal', sign: '○' },
};

export function requestStatus({ failed, statusCode, isWhole }: Timeline): { tone: Tone; label: string } {
  const code = statusCode === null ? '' : ` ${statusCode}`;
  if (failed) return { tone: 'bad', label: `Failed${code}` };
  if (!isWhole) return { tone: 'warn', label: 'Incomplete' };
  return { tone: 'good', label: `OK${code}` };
}

export const requestViews = { list: 'Requests', routes: 'Routes', hot: 'Hot functions' } as const;
export type RequestView = keyof typeof requestViews;

/** The way to get spans, for a page that has none. */
export const spanLine = 'OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318';
