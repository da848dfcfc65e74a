import { expect, it } from 'vitest';
import { canLimitMemory, limitMemory } from '../support/limited-memory.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openDeaths } from './death-harness.ts';

// Where no cgroup can be made, test/memory/death-cause.test.ts alone has this cause.
it.runIf(canLimitMemory())(
  "a process that the kernel kills at its container's limit leaves a record that says so",
  { timeout: 60_000 },
  async () => {
    await using stack = new AsyncDisposableStack();
    const target = await startTarget('leaks/buffer');
    // Before the target's end, which is disposed first, the cgroup cannot go.
    stack.use(limitMemory(target.pid, 40e6));
    stack.use(target);
    const watched = stack.use(await openDeaths([target.inspectorAddress]));
    const death = await waitFor(() => watched.told.at(-1), {
      deadlineMs: 45_000,
      message: () => `the death; ${watched.complaints.join('; ')}`,
    });
    expect(await target.exited).toMatchObject({ signal: 'SIGKILL' });
    expect(death, `${death.evidence.join('; ')}; not known: ${death.unknown.join('; ')}`).toMatchObject({
      cause: 'container-memory-limit',
      confidence: expect.stringMatching(/^(certain|likely)$/) as string,
    });
    expect(death.memory).toMatchObject({ limit: { pool: 'container', limitBytes: expect.any(Number) as number } });
    expect(watched.raised).toContainEqual(
      expect.objectContaining({ problem: 'target-death', severity: 'critical', key: 'container-memory-limit' }),
    );
  },
);
