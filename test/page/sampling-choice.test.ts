import { expect, it } from 'vitest';
import { readSamplingChoice } from '../../dashboard/model/sampling-choice.ts';

it.each([
  [
    { mode: 'live', durationSeconds: '60', intervalKib: '' },
    { durationMs: 60_000, intervalBytes: undefined, error: null },
  ],
  [
    { mode: 'live', durationSeconds: '3600', intervalKib: '' },
    { durationMs: 3_600_000, intervalBytes: undefined, error: null },
  ],
  [
    { mode: 'live', durationSeconds: ' 1,5 ', intervalKib: '64' },
    { durationMs: 1_500, intervalBytes: 65_536, error: null },
  ],
  [{ mode: 'live', durationSeconds: '0.5', intervalKib: '' }, { error: 'The duration must be between 1 s and 1 h.' }],
  [
    { mode: 'live', durationSeconds: '60', intervalKib: '1' },
    { error: 'The interval must be between 4 KiB and 64 MiB.' },
  ],
  [
    { mode: 'live', durationSeconds: '60', intervalKib: 'many' },
    { error: 'The interval must be between 4 KiB and 64 MiB.' },
  ],
  [
    { mode: 'churn', durationSeconds: '60', intervalKib: '' },
    { durationMs: 60_000, intervalBytes: undefined, error: null },
  ],
] as const)('reads %j as the agent would', (choice, expected) => {
  expect(readSamplingChoice(choice)).toEqual(expected);
});

it('refuses a churn profile of more samples than the agent allows', () => {
  const { error } = readSamplingChoice({ mode: 'churn', durationSeconds: '200', intervalKib: '' });
  expect(error).toContain('200,000 are the limit');
});
