// Stores artifacts for ever and prints the id of each once it is finished; beside them, one of each kind stays unfinished.
import { openStore, pseudoSnapshot, put, runningOperation, sampleDraft } from '../sample.ts';

const store = await openStore(process.argv[2] ?? '');
for (const kind of ['cpu', 'heap-snapshot'] as const) {
  const writer = await store.create(sampleDraft({ kind }), { expectedBytes: 1000 });
  await writer.write(pseudoSnapshot(300_000));
  await writer.flush();
}
store.saveOperation(runningOperation);
for (let round = 0; ; round++) {
  const kind = round % 2 === 0 ? 'cpu' : 'heap-snapshot';
  const profile = await put(store, pseudoSnapshot(20_000, round + 1), { kind });
  console.log(profile.id);
}
