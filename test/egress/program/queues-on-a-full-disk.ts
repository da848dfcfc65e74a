// `queues-on-a-full-disk.ts DIRECTORY`, which is a small disk: the store and the queue of an agent, when nothing fits any more. Each line is a fact that the test compares.
import fs from 'node:fs';
import path from 'node:path';
import { Sender } from '../../../agent/egress/sender.ts';
import { OutboxTable } from '../../../agent/store/outbox-table.ts';
import { SidescopeError } from '../../../protocol/error.ts';
import { openStore, put, read, recordingLog } from '../../store/sample.ts';
import { waitFor } from '../../support/wait-for.ts';

const [directory = ''] = process.argv.slice(2);
const say = (facts: object) => console.log(JSON.stringify(facts));
const store = await openStore(directory);
const log = recordingLog();
const sent: string[] = [];
const gate = Promise.withResolvers<undefined>();
const sender = new Sender({
  name: 'archive',
  destination: {
    where: 'nowhere',
    takes: ['cpu'],
    send: async ({ facts }) => {
      await gate.promise;
      return sent.push(facts.id);
    },
    [Symbol.dispose]: () => undefined,
  },
  outbox: new OutboxTable(store),
  queueBytesMax: 2 ** 30,
  open: ({ item }) => ({ facts: { id: item } }) as never,
  settleMs: 0,
  onSent: () => undefined,
  pauses: { firstMs: 20, longestMs: 60 },
  log,
});
const kept = await put(store, Buffer.alloc(50_000, 'kept'));
const accept = (item: string) => sender.accept({ kind: 'profile', item, bytes: 1, facts: { text: 'x'.repeat(2_000) } });
accept('before');

const filler = path.join(directory, 'filler');
for (let block = 65_536; block >= 1; block = Math.floor(block / 2)) {
  try {
    for (;;) fs.appendFileSync(filler, Buffer.alloc(block));
  } catch {
    // Full for this size of block.
  }
}
// What has room in the index's own pages is queued still; then nothing is.
for (let count = 0; count < 2_000 && sender.stats().dropped['not-queued'] !== 3; count++) accept(`full-${count}`);
const capture = await put(store, Buffer.alloc(50_000, 'no room')).catch((error: unknown) =>
  error instanceof SidescopeError ? error.code : String(error),
);
say({
  dropped: sender.stats().dropped,
  told: log.lines.filter(({ message }) => message.includes('not queued')).length,
  capture,
  kept: (await read(store, kept.id)).length,
});

fs.rmSync(filler);
accept('after');
gate.resolve(undefined);
await waitFor(() => sent.includes('after'), { message: () => `what is queued to be sent: ${sent.join()}` });
say({ first: sent[0], notQueued: sender.stats().dropped['not-queued'], twice: sent.length - new Set(sent).size });
await sender.close(AbortSignal.timeout(5_000));
await store[Symbol.asyncDispose]();
