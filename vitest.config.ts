import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    // Targets are real processes: two test files at once already keep two cores busy.
    maxWorkers: 2,
    testTimeout: 30_000,
    // Real processes on a shared machine: in CI a test that fails is run once more, and the report names it.
    retry: process.env['CI'] === undefined ? 0 : 1,
    hookTimeout: 60_000,
    globalSetup: [],
  },
});
