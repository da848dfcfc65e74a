import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Catch, Rules, RuleView } from '../../protocol/rest/rules.ts';
import type { TargetList } from '../../protocol/rest/lists.ts';
import type { Recorder } from '../../protocol/rest/recorder.ts';
import { freeAddress } from '../demo/agent.ts';
import { openAgent } from '../support/agent.ts';
import { writeConfigFile } from '../support/config-file.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { clientOf } from './client.ts';

const forMs = 3_000;
const rules = `rules:
  - name: busy
    when: { metric: cpuMainCores, above: 0.05, for: ${forMs / 1000}s }
    limits: { cooldown: 1h }
`;

it('waits for a target that comes late, begins anew with another run of it, and goes on in the next agent', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sidescope-rules-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(dataDirectory, { recursive: true, force: true }));
  const file = stack.use(await writeConfigFile(rules));
  const address = await freeAddress();
  const args = ['--config', file.path, '--vitals-interval', '1s', '--otlp-address', 'off'];
  const start = () => startTarget('busy', { execArgv: [`--inspect=${address}`] });
  let catchId: string;
  {
    await using agent = await openAgent({ targets: [address], args, dataDirectory });
    const call = clientOf(agent);
    const rule = async (): Promise<RuleView['targets'][number]> => {
      const [target] = (await call<Rules>('GET /rules')).rules[0]?.targets ?? [];
      if (target === undefined) throw new Error('there is no target');
      return target;
    };
    expect(await rule()).toMatchObject({ state: 'unknown', conditions: [], total: 0 });

    {
      await using first = await start();
      const busy = async () => {
        const seen = await rule();
        return (seen.conditions[0]?.sinceMs ?? null) !== null && seen;
      };
      const seen = await waitFor(busy, { message: 'the first run to be busy', deadlineMs: 40_000 });
      first.kill();
      expect(seen).toMatchObject({ state: 'idle', total: 0 });
      await first.exited;
    }
    await using _second = await start();
    const attachedMs = await waitFor(
      async () => {
        const [target] = (await call<TargetList>('GET /targets')).targets;
        const { state, previous } = target ?? {};
        return state?.state === 'attached' && previous?.length === 1 ? Date.parse(state.since) : undefined;
      },
      { message: 'the second run to be attached', deadlineMs: 40_000 },
    );
    const fired = await waitFor(async () => (await rule()).firings[0], {
      message: 'the rule to fire',
      deadlineMs: 40_000,
    });
    expect(Date.parse(fired.at) - attachedMs).toBeGreaterThanOrEqual(forMs);
    expect(await rule()).toMatchObject({ state: 'cooldown', total: 1 });
    ({ id: catchId } = await call<Catch>('POST /rules/catch?event=stall&for=1h'));
  }
  await using _third = await start();
  await using agent = await openAgent({ targets: [address], args, dataDirectory });
  const call = clientOf(agent);
  const resumed = await call<Rules>('GET /rules');
  expect(resumed.rules[0]?.targets).toMatchObject([
    { total: 1, firings: [{ why: expect.stringContaining('cpu') as string }] },
  ]);
  expect(resumed.catches).toMatchObject([{ id: catchId, state: 'waiting' }]);
  const held = await waitFor(
    async () => {
      const [target] = (await call<Rules>('GET /rules')).rules[0]?.targets ?? [];
      return target?.conditions[0]?.holds === true ? target : undefined;
    },
    { message: 'its conditions to hold again', deadlineMs: 40_000 },
  );
  expect(held).toMatchObject({ state: 'cooldown', total: 1, suppressed: { cooldown: 1 } });

  // What the agent before waited for has its recorder; cancelled, it has none.
  const recorder = async () => (await call<Recorder>('GET /recorder')).targets[0]?.state;
  await waitFor(async () => (await recorder()) === 'recording', { message: 'the recorder to be on' });
  expect(await call<Catch>(`DELETE /rules/catch/${catchId}`)).toMatchObject({ state: 'cancelled' });
  await waitFor(async () => (await recorder()) === 'off', { message: 'the recorder to be off' });
  await expect(call(`DELETE /rules/catch/${catchId}`)).rejects.toThrow('409');
});
