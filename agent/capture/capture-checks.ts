import { SidescopeError } from '../../protocol/error.ts';
import { cpuMaxSamples, samplingMaxSamples } from '../../protocol/rest/limits.ts';

/** V8 holds every sample until the profile is stopped and answers with one message. `too-many-samples`. */
export function refuseLongProfile({ durationMs, intervalUs }: { durationMs: number; intervalUs: number }): void {
  const samples = Math.ceil((durationMs * 1000) / intervalUs);
  if (samples <= cpuMaxSamples) return;
  throw new SidescopeError(
    'too-many-samples',
    `${durationMs} ms at ${intervalUs} µs are ${samples} samples, the limit is ${cpuMaxSamples}`,
    { details: { samples, limit: cpuMaxSamples } },
  );
}

/** Live mode holds a sample per interval of heap; churn mode holds all there ever were, until it is stopped. */
export function refuseChurn(asked: { durationMs: number; intervalBytes: number; nodeVersion: string }): void {
  const { durationMs, intervalBytes, nodeVersion } = asked;
  // V8 10.2 ignores the flags and would give a live profile under another name.
  if (Number.parseInt(nodeVersion.replace(/^v/, ''), 10) < 20) {
    throw new SidescopeError('unsupported-target', `mode=churn needs Node 20 or newer, the target has ${nodeVersion}`);
  }
  const samples = Math.ceil((durationMs * 1e6) / intervalBytes);
  if (samples > samplingMaxSamples) {
    throw new SidescopeError(
      'too-many-samples',
      `${durationMs} ms of 1 GB/s at ${intervalBytes} B are ${samples} samples that the target would hold, the limit is ${samplingMaxSamples}`,
      { details: { samples, limit: samplingMaxSamples } },
    );
  }
}
