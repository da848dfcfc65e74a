import { expect, it } from 'vitest';
import type { AlertList } from '../../protocol/rest/alerts.ts';
import type { OperationList, ProfileList } from '../../protocol/rest/lists.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Recorder } from '../../protocol/rest/recorder.ts';
import type { Catch, RuleFiring, Rules, RuleView } from '../../protocol/rest/rules.ts';
import type { StallList } from '../../protocol/rest/stalls.ts';
import { openAgent } from '../support/agent.ts';
import { writeConfigFile } from '../support/config-file.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { clientOf } from './client.ts';

async function firingsOf(call: ReturnType<typeof clientOf>, name: string): Promise<readonly RuleFiring[]> {
  const { rules } = await call<Rules>('GET /rules');
  return rules.find((rule: RuleView) => rule.name === name)?.targets[0]?.firings ?? [];
}

const bursts = `rules:
  - name: burst
    when: { metric: cpuMainCores, above: 0.05 }
    capture: { kind: cpu, duration: 1s }
    keep: { pin: true, labels: { team: shop } }
    alert: warning
  - name: same
    when: { metric: cpuMainCores, above: 0.05 }
    capture: { kind: cpu, duration: 1s }
  - name: stalls
    when: { event: stall }
    capture: stacks
`;

it('captures a burst while it lasts, once for two rules that want the same, and tells it', async () => {
  await using target = await startTarget('busy');
  await using file = await writeConfigFile(bursts);
  await using agent = await openAgent({
    targets: [target.inspectorAddress],
    args: ['--config', file.path, '--vitals-interval', '1s'],
    rulesLookEveryMs: 250,
  });
  const call = clientOf(agent);
  const captured = async (name: string) =>
    await waitFor(async () => (await firingsOf(call, name)).find(({ state }) => state === 'captured'), {
      message: `${name} to be captured`,
      deadlineMs: 40_000,
    });
  const first = await captured('burst');
  const second = await captured('same');
  expect(first.why).toMatch(/^cpuMainCores is \d+(\.\d+)?, wanted above 0\.05$/);
  expect(second).toMatchObject({ sharedWith: 'burst', profileIds: first.profileIds, operationId: first.operationId });
  const { profiles } = await call<ProfileList>('GET /profiles?trigger=rule');
  expect(profiles).toMatchObject([
    { id: first.profileIds[0], pinned: true, labels: { team: 'shop' }, trigger: { kind: 'rule', by: 'burst' } },
  ]);
  const { alerts } = await call<AlertList>('GET /alerts?problem=rule');
  expect(alerts.find(({ key }) => key === 'burst')).toMatchObject({
    severity: 'warning',
    profileIds: first.profileIds,
  });
  const { rules } = await call<Rules>('GET /rules');
  expect(rules[0]?.targets[0]).toMatchObject({ state: 'cooldown', total: 1 });
  expect(await call('GET /rules/burst/explain')).toMatchObject({
    rule: 'burst',
    wouldHaveFired: [{ why: expect.stringContaining('cpuMainCores') as string }],
    notes: [expect.stringContaining('readings begin at') as string],
  });

  // A bad file keeps the rules of before; a good one replaces them.
  await file.write('rules:\n  - name: broken\n    when: { metric: nothing, above: 1 }\n');
  const broken = await waitFor(
    async () => {
      const view = await call<Rules>('GET /rules');
      return view.problems.length > 0 ? view : undefined;
    },
    { message: 'the problem' },
  );
  expect(broken).toMatchObject({
    problems: [{ line: 3 }],
    rules: [{ name: 'burst' }, { name: 'same' }, { name: 'stalls' }],
  });
  expect(agent.agent.features().find(({ name }) => name === 'rules')).toMatchObject({
    state: 'on',
    reason: expect.stringContaining('line 3: when.metric: there is no metric "nothing"') as string,
  });
  await file.write(
    'rules:\n  - name: burst\n    when: { metric: rssBytes, above: 1e15 }\n    capture: { kind: cpu, duration: 1s }\n',
  );
  const replaced = await waitFor(
    async () => {
      const view = await call<Rules>('GET /rules');
      return view.problems.length === 0 ? view : undefined;
    },
    { message: 'the new rules' },
  );
  // How often it fired stays, and so does its cooldown.
  expect(replaced.rules).toMatchObject([{ name: 'burst', targets: [{ state: 'cooldown', total: 1 }] }]);

  // Behind a person's profile it waits as another person's would.
  const own = await call<Operation>('POST /cpu/start?duration=60000');
  const fired = await call<RuleFiring>('POST /rules/burst/fire');
  const ofRule = await waitFor(
    async () =>
      (await call<OperationList>('GET /operations')).operations.find(
        ({ startedBy, state }) => startedBy === 'rule burst' && state === 'queued',
      ),
    { message: "the rule's capture to wait" },
  );
  expect(ofRule).toMatchObject({ queuePosition: 1 });
  await call(`DELETE /operations/${own.id}`);
  await waitFor(
    async () => (await firingsOf(call, 'burst')).find(({ id, state }) => id === fired.id && state === 'captured'),
    { message: "the rule's own capture", deadlineMs: 40_000 },
  );
});

it('catches the next stall: the recorder is on until then, what it saw is kept, and it is off again', async () => {
  await using target = await startTarget('blocks-the-loop');
  await using file = await writeConfigFile('rules: [{ name: stalls, when: { event: stall }, capture: stacks }]\n');
  await using agent = await openAgent({
    targets: [target.inspectorAddress],
    args: ['--config', file.path, '--vitals-interval', '1s', '--stall-threshold', '500ms'],
  });
  const call = clientOf(agent);
  const state = async () => (await call<Recorder>('GET /recorder')).targets[0]?.state;
  await waitFor(async () => (await call<Rules>('GET /rules')).rules[0]?.targets[0]?.state === 'idle', {
    message: 'a reading',
  });
  const { id } = await call<Catch>('POST /rules/catch?event=stall&for=2m');
  await waitFor(async () => (await state()) === 'recording', { message: 'the recorder to be on' });
  // Of a CPU's time: on a busy machine it lasts for as many times as long.
  await target.send({ cpuMs: 1_200 });
  const caught = await waitFor(
    async () => (await call<Rules>('GET /rules')).catches.find((each) => each.id === id && each.state === 'caught'),
    { message: 'the stall to be caught', deadlineMs: 40_000 },
  );
  expect(caught).toMatchObject({ why: expect.stringContaining('blocked') as string });
  // Where the stall lasts long, there is one of its alert too.
  const { profiles } = await call<ProfileList>('GET /profiles?trigger=rule');
  expect(profiles).toMatchObject([
    { id: caught.profileId, trigger: { kind: 'rule', by: 'catch stall' }, labels: { caught: 'stall' } },
  ]);
  // What was before is in it; the start of a stall is known to one heartbeat, when it was noticed exactly.
  const { stalls } = await call<StallList>('GET /stalls');
  const stall = stalls.find(({ verdict }) => verdict !== 'starved');
  const [profile] = profiles;
  expect(Date.parse(profile?.startedAt ?? '')).toBeLessThan(Date.parse(stall?.noticedAt ?? ''));
  expect(profile?.cpu?.idleShare).toBeLessThan(0.9);
  await waitFor(async () => (await state()) === 'off', { message: 'the recorder to be off' });
  expect(await firingsOf(call, 'stalls')).toMatchObject([
    { state: 'captured', why: expect.stringContaining('stall: ') as string },
  ]);
});

it('hears an ordinary exit, and keeps what the recorder had of it', async () => {
  await using target = await startTarget('ends-by-itself');
  await using file = await writeConfigFile(`flight-recorder: true
rules:
  - { name: ended, when: { event: exit }, capture: { kind: recorder, before: 5m } }
  - { name: died, when: { event: death }, capture: recorder }
`);
  await using agent = await openAgent({ targets: [target.inspectorAddress], args: ['--config', file.path] });
  const call = clientOf(agent);
  await waitFor(async () => (await call<Recorder>('GET /recorder')).targets[0]?.state === 'recording', {
    message: 'the recorder to be on',
  });
  await target.send('end');
  const [ended] = await waitFor(
    async () => {
      const firings = await firingsOf(call, 'ended');
      return firings[0]?.state === 'captured' ? firings : undefined;
    },
    { message: 'the exit to be captured', deadlineMs: 40_000 },
  );
  expect(ended?.why).toMatch(/^exit: /);
  const { profiles } = await call<ProfileList>('GET /profiles');
  expect(profiles).toMatchObject([
    { id: ended?.profileIds[0], target: { pid: target.pid }, labels: { rule: 'ended' } },
  ]);
  expect(await firingsOf(call, 'died')).toEqual([]);
  expect(await call('GET /rules/ended/explain')).toMatchObject({
    wouldHaveFired: [{ why: ended?.why }],
  });
});
