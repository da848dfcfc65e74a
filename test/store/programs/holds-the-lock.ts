// Opens the store of a directory and says how that went; keeps it until it is killed.
import { SidescopeError } from '../../../protocol/error.ts';
import { openStore } from '../sample.ts';

try {
  await openStore(process.argv[2] ?? '');
  console.log('open');
  setInterval(() => undefined, 60_000);
} catch (error) {
  console.log(error instanceof SidescopeError ? error.code : String(error));
}
