import { samplingDurationMs, samplingIntervalBytes, samplingMaxSamples } from '../../protocol/rest/limits.ts';
import type { SamplingMode } from '../../protocol/rest/profile.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';

/** What the heap sampling form holds, as typed. */
export interface SamplingChoice {
  readonly mode: SamplingMode;
  readonly durationSeconds: string;
  /** Empty: the agent's default. */
  readonly intervalKib: string;
}

export type SamplingRequestOrError =
  | { readonly durationMs: number; readonly intervalBytes: number | undefined; readonly error: null }
  | { readonly error: string };

/** What the agent assumes a busy target to allocate, for the bound of a churn profile. */
const assumedBytesPerMs = 1e6;

/** The same bounds as the agent's, said before the click. */
export function readSamplingChoice({ mode, durationSeconds, intervalKib }: SamplingChoice): SamplingRequestOrError {
  const durationMs = Math.round(decimal(durationSeconds) * 1000);
  if (!(durationMs >= samplingDurationMs.min && durationMs <= samplingDurationMs.max)) {
    const range = `${samplingDurationMs.min / 1000} s and ${formatDuration(samplingDurationMs.max)}`;
    return { error: `The duration must be between ${range}.` };
  }
  const intervalBytes = intervalKib.trim() === '' ? undefined : Math.round(decimal(intervalKib) * 1024);
  const { min, max, default: usual } = samplingIntervalBytes;
  if (intervalBytes !== undefined && !(intervalBytes >= min && intervalBytes <= max)) {
    return { error: `The interval must be between ${formatBytes(min)} and ${formatBytes(max)}.` };
  }
  const samples = Math.ceil((durationMs * assumedBytesPerMs) / (intervalBytes ?? usual));
  if (mode === 'churn' && samples > samplingMaxSamples) {
    const limit = formatCount(samplingMaxSamples);
    return {
      error: `A busy target may hold ${formatCount(samples)} samples in that time; ${limit} are the limit. Sample less often or shorter.`,
    };
  }
  return { durationMs, intervalBytes, error: null };
}

function decimal(text: string): number {
  return /^\s*\d{1,9}([.,]\d{1,3})?\s*$/.test(text) ? Number(text.replace(',', '.')) : Number.NaN;
}
