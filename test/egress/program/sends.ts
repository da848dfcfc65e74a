// `sends.ts DIRECTORY URL`: an agent's store and egress, and nothing else, until it is killed.
import { Readable } from 'node:stream';
import { Egress } from '../../../agent/egress/egress.ts';
import type { ArtifactReader } from '../../../agent/store/store.ts';
import { openStore } from '../../store/sample.ts';
import { surroundings } from '../harness.ts';

const [directory = '', url = ''] = process.argv.slice(2);
const store = await openStore(directory);
/** What is stored: the reader comes as what a redaction needs of it. */
const redactions = { open: (reader: object): Readable => (reader as ArtifactReader).stored() ?? Readable.from([]) };
await Egress.open({ ...surroundings(), times: {}, redactions, urls: [url], configPath: undefined, store });
setInterval(() => undefined, 60_000);
