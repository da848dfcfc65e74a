// `sends.ts DIRECTORY URL`: an agent's store and egress, and nothing else, until it is killed.
import { Egress } from '../../../agent/egress/egress.ts';
import { openStore } from '../../store/sample.ts';
import { surroundings } from '../harness.ts';

const [directory = '', url = ''] = process.argv.slice(2);
const store = await openStore(directory);
const redactions = {
  open: (reader: { stored?: () => unknown }) => reader.stored?.() as never,
};
await Egress.open({ ...surroundings(), times: {}, redactions, urls: [url], configPath: undefined, store });
setInterval(() => undefined, 60_000);
