export const cpuDurationMs = { default: 30_000, min: 100, max: 86_400_000 } as const;
/** V8's own floor is lower, but 100 µs already costs 22 % of the target's CPU. */
export const cpuIntervalUs = { default: 1_000, min: 50, max: 1_000_000 } as const;
/** What is over 600,000 is recorded in windows, so the target never holds more; this is what the readers of the joined file take: four hours at 1 ms, or a day at 6 ms. */
export const cpuMaxSamples = 15_000_000;
export const samplingDurationMs = { default: 60_000, min: 1_000, max: 3_600_000 } as const;
export const samplingIntervalBytes = { default: 524_288, min: 4_096, max: 67_108_864 } as const;
/**
 * Of a churn profile, where V8 keeps every sample until the end, for a target that allocates 1 GB/s: 95 B of its memory and 43 B of the file each;
 * ending 630,000 of them paused 1.7 s. So 104 s at the default interval.
 */
export const samplingMaxSamples = 200_000;

export const investigateLoadMs = { default: 60_000, min: 1_000, max: 3_600_000 } as const;
export const investigateSettleMs = { default: 15_000, min: 0, max: 600_000 } as const;
