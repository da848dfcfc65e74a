import { buildWaterfall } from '../../protocol/otlp/waterfall.ts';
import type { Span } from '../../protocol/otlp/model.ts';

/** A trace as lines: `  database SELECT … 4.5ms self 4.5`, a request's name above its spans. */
export function draw(spans: readonly Span[], digits = 0): string {
  const { requests } = buildWaterfall(spans);
  return requests
    .flatMap(({ name, isWhole, spans: rows }) => [
      isWhole ? name : `${name} (a part)`,
      ...rows.map(
        ({ depth, kind, operation, span, selfMs, failed }) =>
          `${'  '.repeat(depth + 1)}${kind} ${operation} ${span.durationMs.toFixed(digits)}ms self ${selfMs.toFixed(digits)}${failed ? ' FAILED' : ''}`,
      ),
    ])
    .join('\n');
}
