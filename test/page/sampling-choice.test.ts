import { expect, it } from 'vitest';
import { readSamplingChoice } from '../../dashboard/model/sampling-choice.ts';

it.each([
  ['live', '60', '', { durationMs: 60_000, intervalBytes: undefined, error: null }],
  ['live', '3600', '', { durationMs: 3_600_000, intervalBytes: undefined, error: null }],
  ['live', ' 1,5 ', '64', { durationMs: 1_500, intervalBytes: 65_536, error: null }],
  ['live', '0.5', '', { error: 'The duration must be between 1 s and 1 h.' }],
  ['live', '60', '1', { error: 'The interval must be between 4 KiB and 64 MiB.' }],
  ['live', '60', 'many', { error: 'The interval must be between 4 KiB and 64 MiB.' }],
  ['churn', '60', '', { durationMs: 60_000, intervalBytes: undefined, error: null }],
] as const)('reads %s for %j s every %j KiB as the agent would', (mode, durationSeconds, intervalKib, expected) => {
  expect(readSamplingChoice({ mode, durationSeconds, intervalKib })).toEqual(expected);
});

it('refuses a churn profile of more samples than the agent allows', () => {
  const { error } = readSamplingChoice({ mode: 'churn', durationSeconds: '200', intervalKib: '' });
  expect(error).toContain('200,000 are the limit');
});
