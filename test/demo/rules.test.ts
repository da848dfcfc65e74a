import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProfileList } from '../../protocol/rest/lists.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { Recorder } from '../../protocol/rest/recorder.ts';
import type { Catch, Rules } from '../../protocol/rest/rules.ts';
import type { ProfileSummary } from '../../protocol/rest/summary.ts';
import type { StallList } from '../../protocol/rest/stalls.ts';
import type { VitalsHistory } from '../../protocol/rest/vitals.ts';
import { clientOf } from '../rules/client.ts';
import { startDemo } from '../support/demo.ts';
import { waitFor } from '../support/wait-for.ts';
import { freeAddress, startAgent } from './agent.ts';
import type { Backend } from './backend.ts';

interface RawProfile {
  readonly nodes: readonly { readonly callFrame: { readonly functionName: string } }[];
}

/** So many requests at once, each followed by the next, until it is disposed; then the last ones are answered. */
function keepAsking(url: string, atOnce = 1): AsyncDisposable {
  const stop = new AbortController();
  const ask = async (): Promise<void> => {
    while (!stop.signal.aborted) await (await fetch(url)).arrayBuffer();
  };
  const asking = Promise.all(Array.from({ length: atOnce }, ask));
  // Reported when it is disposed.
  asking.catch(() => undefined);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await asking;
    },
  };
}

describe('the agent of the demo', () => {
  const stack = new AsyncDisposableStack();
  let shop: Backend;
  let call: ReturnType<typeof clientOf>;
  afterAll(() => stack.disposeAsync());

  beforeAll(async () => {
    shop = stack.use(await startDemo({ load: false }));
    const agent = stack.use(
      await startAgent({
        inspectorAddress: shop.inspectorAddress,
        otlpAddress: await freeAddress(),
        metricsUrl: `${shop.shopUrl}/metrics`,
        signal: AbortSignal.timeout(60_000),
      }),
    );
    const token = new URL(agent.dashboardUrl ?? 'http://none/#token=').hash.split('=')[1] ?? '';
    call = clientOf({ url: agent.adminUrl, token });
  });

  async function functionsOf(profileId: string | null | undefined): Promise<string> {
    const summary = await call<ProfileSummary>(`GET /profiles/${profileId}/summary?limit=50`);
    return summary.functions.map(({ functionName }) => functionName).join(' ');
  }

  it('captures a burst by itself while it lasts, catches the next stall, and has recorded what was before', async () => {
    await waitFor(async () => (await call<Recorder>('GET /recorder')).targets[0]?.state === 'recording', {
      message: 'the recorder',
      deadlineMs: 20_000,
    });
    const firing = await (async () => {
      // With one of them waiting, the shop has work also while this process has no CPU.
      await using _burst = keepAsking(`${shop.shopUrl}/products/17/report`, 2);
      return await waitFor(
        async () => {
          const [target] = (await call<Rules>('GET /rules')).rules[0]?.targets ?? [];
          return target?.firings.find(({ state }) => state === 'captured');
        },
        { message: 'the rule to capture', deadlineMs: 40_000 },
      );
    })();
    expect(await functionsOf(firing.profileIds[0])).toMatch(/trigramsOf|similarity/);
    const { profiles } = await call<ProfileList>('GET /profiles?trigger=rule');
    expect(profiles.find((profile) => profile.id === firing.profileIds[0])).toMatchObject({
      trigger: { kind: 'rule', by: 'cpu-burst' },
    });

    // A stall of the burst itself is not the next one.
    await waitFor(async () => ((await call<VitalsHistory>('GET /vitals')).latest?.cpu.mainCores ?? 1) < 0.2, {
      message: 'the burst to be over',
      deadlineMs: 20_000,
    });
    let { id, startedAt } = await call<Catch>('POST /rules/catch?event=stall&for=5m');
    const caught = await (async () => {
      // Again and again: an agent without time for 1.8 s has seen none.
      await using _stalls = keepAsking(`${shop.shopUrl}/invoices/1?ms=1800`);
      return await waitFor(
        async () => {
          const { catches } = await call<Rules>('GET /rules');
          const found = catches.find((each) => each.id === id && each.state === 'caught');
          if (found === undefined || /signInvoice|native work/.test(found.why ?? '')) return found;
          // One of a machine that is busy with others: the next one, then.
          ({ id, startedAt } = await call<Catch>('POST /rules/catch?event=stall&for=5m'));
          return undefined;
        },
        { message: 'the stall to be caught', deadlineMs: 30_000 },
      );
    })();
    // The newest is first.
    const { stalls } = await call<StallList>('GET /stalls');
    const stall = stalls.findLast(({ endedAt }) => endedAt !== null && endedAt > startedAt);
    const kept = await call<Profile>(`GET /profiles/${caught.profileId}`);
    expect(kept).toMatchObject({ trigger: { kind: 'rule', by: 'catch stall' }, labels: { caught: 'stall' } });
    // The burst was over before: the recorder saw both.
    expect(Date.parse(kept.startedAt)).toBeLessThan(Date.parse(firing.at));
    expect(Date.parse(kept.endedAt ?? '')).toBeGreaterThan(Date.parse(stall?.noticedAt ?? ''));
    const { nodes } = await call<RawProfile>(`GET /profiles/${caught.profileId}/download`);
    const names = nodes.map(({ callFrame }) => callFrame.functionName).join(' ');
    expect(names).toMatch(/trigramsOf|similarity/);
    // Its own time is what it calls.
    expect(names, caught.why ?? '').toMatch(/signInvoice|pbkdf2Sync/);
    expect((await call<Recorder>('GET /recorder')).targets[0]).toMatchObject({ state: 'recording' });
  }, 60_000);
});
