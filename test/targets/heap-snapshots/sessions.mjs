// FILE FILE FILE: between the last two an inspector session ends, after which V8 numbers objects anew.
import { Session } from 'node:inspector';
import { writeHeapSnapshot } from 'node:v8';

class Item {
  fields = { of: this };
}

const kept = (globalThis.kept = []);
const [first, second, third] = process.argv.slice(2);
for (const file of [first, second, third]) {
  for (let index = 0; index < 500; index++) kept.push(new Item());
  if (file === third) {
    const session = new Session();
    session.connect();
    session.disconnect();
  }
  writeHeapSnapshot(file);
}
