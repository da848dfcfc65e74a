import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // What measures processor time against processor time needs the machine for itself: `npm run test:alone`.
    include: [process.env['ALONE'] === undefined ? 'test/**/*.test.ts' : 'test/**/*.alone.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    // Most of a file's time is waiting for real processes; four at once make races on two cores.
    maxWorkers: 3,
    // What waits has its own deadline, and says what for; this is for what has none.
    testTimeout: 60_000,
    // Real processes on a shared machine: in CI a test that fails is run again, twice at most, and the report names it.
    retry: process.env['CI'] === undefined ? 0 : 2,
    hookTimeout: 60_000,
    globalSetup: [],
  },
});
