// Writes a snapshot of a heap full of secrets: 1,000 contents and 100 keys, all of the form CANARY… of the second argument.
import { writeHeapSnapshot } from 'node:v8';

const [, , file, word] = process.argv;
class Account {
  constructor(secret) {
    this.ownerName = secret;
  }
}
const held = {
  plain: [],
  twoByte: [],
  concatenated: [],
  sliced: [],
  external: [],
  accounts: [],
  keys: {},
  more: new Map(),
};
globalThis.held = held;
// In one piece, as what was read from a socket is.
const flat = (text) => JSON.parse(JSON.stringify(text));
const secret = (kind, id) => flat(`${word}-${kind}-${String(id).padStart(4, '0')}`);
for (let id = 0; id < 200; id++) {
  held.plain.push(JSON.parse(`"${secret('plain', id)}"`));
  held.twoByte.push(JSON.parse(`"€ ${secret('wide', id)}"`));
  // Kept as trees of halves, and as windows on a longer one.
  held.concatenated.push(secret('left', id) + secret('right', id));
  held.sliced.push(flat(`before ${secret('sliced', id)}, and a long enough rest`).slice(7, 60));
  held.accounts.push(new Account(secret('owner', id)));
}
for (let id = 0; id < 100; id++) held.keys[secret('key', id)] = id;
for (let id = 0; id < 40; id++) held.more.set(secret('entry', id), new RegExp(secret('pattern', id)));
// Read from a file as Latin-1 they are external strings of V8.
held.external.push(Buffer.alloc(1_100_000, `${secret('external', 1)} `).toString('latin1'));
held.weak = new WeakMap([[held, secret('weak', 1)]]);
held.symbol = Symbol(secret('symbol', 1));
held.big = 12345678901234567890n;
writeHeapSnapshot(file);
process.exit(0);
