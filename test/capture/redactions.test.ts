import { expect, it } from 'vitest';
import { Redactions } from '../../agent/capture/redactions.ts';
import { takeSnapshots } from '../heap-snapshot/take.ts';
import { bytesOf, openStore, put, scratchDirectory } from '../store/sample.ts';
import { childrenRunning, signalChildren } from '../support/children.ts';

it('ends a process that halts, says so, and has room for the next', async () => {
  const [snapshot = Buffer.alloc(0)] = await takeSnapshots('secrets', { args: ['CANARYcanary'] });
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const profile = await put(store, snapshot, { kind: 'heap-snapshot' });
  await using redactions = new Redactions({ silenceMs: 2_000 });
  await using reader = await store.open(profile.id);
  const stored = { path: reader.path, profile };

  const halted = redactions.open(stored, { gzip: false });
  signalChildren('redact-child', 'SIGSTOP');
  await expect(bytesOf(halted)).rejects.toMatchObject({
    code: 'analysis-limit',
    message: 'redacting ended with silence, and was killed',
  });
  expect(childrenRunning('redact-child')).toEqual([]);
  expect((await bytesOf(redactions.open(stored, { gzip: false }))).length).toBeGreaterThan(snapshot.length / 2);
});
