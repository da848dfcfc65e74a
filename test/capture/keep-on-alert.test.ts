import { expect, describe, it, vi } from 'vitest';
import type { AlertNotice } from '../../agent/alerts/alert-sink.ts';
import { Alerts } from '../../agent/alerts/alerts.ts';
import { KeepOnAlert } from '../../agent/capture/keep-on-alert.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import type { CpuProfile } from '../../protocol/cpu-profile/model.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openRecorder } from './recorder-harness.ts';

it('joins what a real target did before an alert and around it, and gives it to the alert', async () => {
  await using target = await startTarget('blocks-the-loop');
  await using opened = await openRecorder(target.inspectorAddress, { tempo: { windowMs: 300 } });
  await opened.recording();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  using index = indexInMemory();
  await using alerts = new Alerts({ index, budgetBytes: 2e9, sinks: [], serviceOf: () => null, log });
  await using _keeper = new KeepOnAlert({ alerts, recorder: opened.recorder, log, times: { afterMs: 1_000 } });

  // It computes, then it idles, then it computes again, and the alert comes meanwhile.
  await target.send({ cpuMs: 400 });
  await target.waitForOutput(/turned/);
  const windows = opened.view().windows.length;
  await waitFor(() => opened.view().windows.length >= windows + 2, { message: 'two more windows' });
  await target.send({ cpuMs: 400 });
  await target.waitForOutput(/turned\n[^]*blocking/);
  const raisedMs = Date.now();
  alerts.raise({ problem: 'stall', targetId: opened.targetId, severity: 'warning', title: 'blocked' });
  const alert = await waitFor(() => alerts.list({}).alerts.find(({ profileIds }) => profileIds.length > 0), {
    message: 'the profile of the alert',
    deadlineMs: 20_000,
  });
  const kept = opened.harness.store.get(alert.profileIds[0] ?? '');
  expect(kept).toMatchObject({ kind: 'cpu', trigger: { kind: 'alert', by: 'stall' }, target: { pid: target.pid } });
  expect(Date.parse(kept.startedAt)).toBeLessThan(raisedMs);
  expect(Date.parse(kept.endedAt ?? '')).toBeGreaterThan(raisedMs + 500);
  expect(kept.warnings.join()).not.toContain('not recorded');

  const profile = parseCpuProfile(JSON.parse(await opened.harness.read(kept.id)));
  const spunMs = timesMsOf(profile, 'blocks-the-loop.mjs').map((ms) => Date.parse(kept.startedAt) + ms);
  const [before, after] = [spunMs.filter((ms) => ms < raisedMs), spunMs.filter((ms) => ms >= raisedMs)];
  // 40 each at 10 ms; a busy machine gives fewer.
  expect(before.length).toBeGreaterThan(5);
  expect(after.length).toBeGreaterThan(2);
});

/** Of the samples with a frame of that file on the stack, since the profile's start. */
function timesMsOf(profile: CpuProfile, file: string): number[] {
  const { samples, sampleTimesUs, nodeFrames, frames, parents } = profile;
  const isBelow = [...nodeFrames].map((frame) => frames[frame]?.url.endsWith(file) === true);
  // A parent stands before its children.
  for (const node of isBelow.keys()) isBelow[node] ||= isBelow[parents[node] ?? -1] === true;
  return [...samples].flatMap((node, index) => (isBelow[node] === true ? [(sampleTimesUs[index] ?? 0) / 1000] : []));
}

describe('when an alert opens', () => {
  const notice = (id: string, changes: Partial<AlertNotice['alert']> = {}): AlertNotice => ({
    change: 'opened',
    alert: { id, problem: 'stall', targetId: 't1', facts: {}, ...changes } as AlertNotice['alert'],
  });

  function open(isRecording = true) {
    const listeners: ((notice: AlertNotice) => void)[] = [];
    const attachProfile = vi.fn<(alertId: string, profileId: string) => void>();
    const kept = vi.fn(async (_request: unknown) => ({ id: 'p1' }) as Profile);
    const alerts = {
      on: (_event: string, listener: (notice: AlertNotice) => void) => listeners.push(listener),
      off: () => undefined,
      attachProfile,
    };
    const runs = { now: 'r1' };
    const recorder = { recording: () => (isRecording ? {} : undefined), run: () => runs.now, keep: kept };
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const options = { alerts, recorder, log, times: { beforeMs: 60_000, afterMs: 50, restMs: 60_000 } };
    const keeper = new KeepOnAlert(options as unknown as ConstructorParameters<typeof KeepOnAlert>[0]);
    return {
      keeper,
      attachProfile,
      kept,
      runs,
      tell: (each: AlertNotice) => listeners.forEach((listener) => listener(each)),
    };
  }

  it('makes one profile for the alerts of one moment, and rests then', async () => {
    const opened = open();
    await using _keeper = opened.keeper;
    opened.tell(notice('a1'));
    opened.tell(notice('a2'));
    opened.tell(notice('a3', { problem: 'rule', facts: { capture: 'recorder' } }));
    opened.tell(notice('a4', { problem: 'rule', facts: { capture: 'cpu' } }));
    await waitFor(() => opened.attachProfile.mock.calls.length === 3, { message: 'all alerts to have it' });
    expect(opened.attachProfile.mock.calls).toEqual([
      ['a1', 'p1'],
      ['a2', 'p1'],
      ['a4', 'p1'],
    ]);
    opened.tell(notice('a5'));
    expect(opened.kept).toHaveBeenCalledTimes(1);
    expect(opened.kept).toHaveBeenCalledWith({
      targetId: 't1',
      beforeMs: 60_050,
      instanceId: 'r1',
      trigger: { kind: 'alert', by: 'stall' },
    });
  });

  it('does not rest for what is worse, or for the end of the target', async () => {
    const opened = open();
    await using _keeper = opened.keeper;
    const tell = async (id: string, changes: Partial<AlertNotice['alert']>): Promise<void> => {
      opened.tell(notice(id, changes));
      await waitFor(() => opened.attachProfile.mock.calls.at(-1)?.[0] === id, { message: `a profile of ${id}` });
    };
    await tell('a1', { problem: 'rule', severity: 'info' });
    opened.tell(notice('a2', { severity: 'info' }));
    await tell('a3', { severity: 'warning' });
    opened.tell(notice('a4', { severity: 'info' }));
    opened.tell(notice('a5', { severity: 'warning' }));
    await tell('a6', { problem: 'target-death', severity: 'info' });
    expect(opened.kept).toHaveBeenCalledTimes(3);
  });

  it('means the run that it is about, though another one begins meanwhile', async () => {
    const opened = open();
    await using _keeper = opened.keeper;
    opened.tell(notice('a1', { severity: 'warning' }));
    opened.tell(notice('a2', { problem: 'target-death', severity: 'warning' }));
    opened.runs.now = 'r2';
    opened.tell(notice('a3', { severity: 'warning' }));
    await waitFor(() => opened.attachProfile.mock.calls.length === 3, { message: 'all alerts to have one' });
    expect(opened.kept.mock.calls).toMatchObject([[{ instanceId: 'r1' }], [{ instanceId: 'r2' }]]);
  });

  it('keeps the windows of a target that died, though nothing records any more', async () => {
    const opened = open(false);
    await using _keeper = opened.keeper;
    opened.tell(notice('a1'));
    opened.tell(notice('a2', { problem: 'target-death' }));
    await waitFor(() => opened.attachProfile.mock.calls.length === 1, { message: 'the profile' });
    expect(opened.attachProfile.mock.calls).toEqual([['a2', 'p1']]);
  });
});
