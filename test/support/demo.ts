import { startBackend } from '../demo/backend.ts';
import type { Backend } from '../demo/backend.ts';

export interface DemoOptions {
  /** Whether users visit the shop all the time. */
  readonly load: boolean;
  /** Where the shop sends its spans, as `OTEL_EXPORTER_OTLP_ENDPOINT`; nowhere unless told. */
  readonly otlpEndpoint?: string;
}

/** The demo's backend without an agent: `await using demo = await startDemo({ load: true })`. */
export function startDemo({ load, otlpEndpoint }: DemoOptions): Promise<Backend> {
  return startBackend({
    load,
    // Spans leave the shop every 200 ms instead of every 5 s.
    env:
      otlpEndpoint === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint, OTEL_BSP_SCHEDULE_DELAY: '200' },
  });
}
