import { isNode, listPids, nodeFlags, readProcess } from './process.ts';
import type { ProcessFacts } from './process.ts';
import { wrapperName } from './wrapper-process.ts';

/** More Node processes than a machine or a pod has. */
const maxProcesses = 256;

/** The Node applications that we can see and that may be ours to profile: no wrapper, no agent of our own, none of another user. In order of their pids. */
export async function findNodeProcesses(): Promise<ProcessFacts[]> {
  const user = process.geteuid?.();
  const pids = (await listPids()).filter((pid) => pid !== process.pid).toSorted((a, b) => a - b);
  const found: ProcessFacts[] = [];
  for (const pid of pids) {
    // Gone since it was listed.
    const facts = await readProcess(pid).catch(() => undefined);
    if (facts === undefined || !isNode(facts) || isAgent(facts) || wrapperName(facts) !== undefined) continue;
    if (user !== 0 && user !== facts.uid) continue;
    found.push(facts);
    if (found.length === maxProcesses) break;
  }
  return found;
}

/** As the launcher, the image and `npm start` start it, and as its commands are called in a container or by npm. */
function isAgent(facts: ProcessFacts): boolean {
  const { argv } = facts;
  if (argv.slice(0, 4).some((word) => /\/bin\/sidescope$|\/agent\/launcher\.cjs$/.test(word))) return true;
  const isMain = argv.some((word) => /(?:^|\/)agent\/main\.(?:mjs|ts)$/.test(word));
  return isMain && nodeFlags(facts).includes('--disable-sigusr1');
}
