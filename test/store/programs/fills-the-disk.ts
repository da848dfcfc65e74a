// On a small disk: each line is a fact that the test compares.
import { SidescopeError } from '../../../protocol/error.ts';
import { filesBelow, openStore, pseudoSnapshot, put, read, runningOperation, sampleDraft } from '../sample.ts';
import fs from 'node:fs';
import path from 'node:path';

const directory = process.argv[2] ?? '';
const code = (error: unknown) => (error instanceof SidescopeError ? error.code : String(error));
const say = (facts: object) => console.log(JSON.stringify(facts));

let store = await openStore(directory);
store.saveOperation(runningOperation);
const first = await put(store, pseudoSnapshot(200_000, 1));

for (const kind of ['cpu', 'heap-snapshot'] as const) {
  const writer = await store.create(sampleDraft({ kind }), { expectedBytes: 1000 });
  let failure: unknown;
  for (let round = 0; failure === undefined && round < 1000; round++) {
    await writer.write(pseudoSnapshot(100_000, round + 1)).catch((error: unknown) => (failure = error));
  }
  const again = await writer.write(Buffer.from('x')).catch(code);
  say({ kind, failed: code(failure), again, temporary: filesBelow(path.join(directory, 'tmp')) });
}

say({
  tooBig: await store.create(sampleDraft(), { expectedBytes: 8_000_000 }).catch(code),
  kept: store.list({}).total,
});

// Exactly full: neither metadata nor index can grow.
const writer = await store.create(sampleDraft(), { expectedBytes: 1000 });
await writer.write(pseudoSnapshot(1000));
const filler = path.join(directory, 'filler');
for (let block = 65_536; block >= 1; block = Math.floor(block / 2)) {
  try {
    for (;;) fs.appendFileSync(filler, Buffer.alloc(block));
  } catch {
    // Full for this size of block.
  }
}
const finished = await writer
  .finish({
    endedAt: new Date().toISOString(),
    durationMs: 1,
    complete: true,
    incompleteReason: null,
    cost: { pauseMs: null, rssBeforeBytes: null, rssAfterBytes: null, rssPeakBytes: null },
    cpu: null,
    snapshot: null,
    sampling: null,
    clock: null,
    warnings: ['x'.repeat(20_000)],
  })
  .catch(code);
say({
  finished,
  files: filesBelow(directory).filter((file) => file.includes(writer.profileId)),
  kept: store.list({}).total,
});

await store[Symbol.asyncDispose]();
store = await openStore(directory);
say({ reopenedWith: store.list({}).total, operations: store.loadOperations().map((operation) => operation.state) });
fs.rmSync(filler);
const later = await put(store, pseudoSnapshot(50_000, 7), { kind: 'heap-snapshot' });
say({
  later: (await read(store, later.id)).equals(pseudoSnapshot(50_000, 7)),
  first: (await read(store, first.id)).equals(pseudoSnapshot(200_000, 1)),
});
await store[Symbol.asyncDispose]();
