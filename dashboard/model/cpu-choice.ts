import { cpuDurationMs, cpuIntervalUs, cpuMaxSamples } from '../../protocol/rest/limits.ts';
import { formatCount, formatDuration } from '../format.ts';

/** What the CPU form holds, as typed. */
export interface CpuChoice {
  readonly durationSeconds: string;
  /** Empty: the agent's default. */
  readonly intervalUs: string;
}

export type CpuRequestOrError =
  | { readonly durationMs: number; readonly intervalUs: number | undefined; readonly error: null }
  | { readonly error: string };

/** The same bounds as the agent's, said before the click. */
export function readCpuChoice(choice: CpuChoice): CpuRequestOrError {
  const durationMs = Math.round(decimal(choice.durationSeconds) * 1000);
  if (!(durationMs >= cpuDurationMs.min && durationMs <= cpuDurationMs.max)) {
    const range = `${cpuDurationMs.min / 1000} s and ${formatDuration(cpuDurationMs.max)}`;
    return { error: `The duration must be between ${range}.` };
  }
  const intervalUs = choice.intervalUs.trim() === '' ? undefined : decimal(choice.intervalUs);
  if (intervalUs !== undefined && !isInterval(intervalUs)) {
    const range = `${cpuIntervalUs.min} and ${formatCount(cpuIntervalUs.max)}`;
    return { error: `The interval must be a whole number of microseconds between ${range}.` };
  }
  const samples = (durationMs * 1000) / (intervalUs ?? cpuIntervalUs.default);
  if (samples > cpuMaxSamples) {
    const limit = formatCount(cpuMaxSamples);
    return { error: `That is ${formatCount(samples)} samples; one profile holds ${limit}. Sample less often.` };
  }
  return { durationMs, intervalUs, error: null };
}

function isInterval(value: number): boolean {
  return Number.isInteger(value) && value >= cpuIntervalUs.min && value <= cpuIntervalUs.max;
}

function decimal(text: string): number {
  return /^\s*\d{1,9}([.,]\d{1,3})?\s*$/.test(text) ? Number(text.replace(',', '.')) : Number.NaN;
}
