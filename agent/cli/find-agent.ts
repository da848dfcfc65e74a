import { lstat, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SidescopeError } from '../../protocol/error.ts';
import { controlAgentSchema, controlSocketName } from '../../protocol/rest/control.ts';
import type { ControlAgent } from '../../protocol/rest/control.ts';
import { ask } from './control-client.ts';

export interface FoundAgent extends ControlAgent {
  readonly socketPath: string;
}

/**
 * The one agent that may be asked: that of the data directory `named`; or else that of `usual`, where one started with this environment keeps its data; or else the only one
 * of this user on this machine. Rejects with `no-agent` and a sentence when there is none, when it is somebody else's, or when there are several.
 */
export async function findAgent({ named, usual }: { named: string | undefined; usual: string }): Promise<FoundAgent> {
  const first = await look(join(resolve(named ?? usual), controlSocketName), { isNamed: named !== undefined });
  if ('agent' in first) return first.agent;
  const others = named === undefined ? await boundSockets() : [];
  const looked = [first, ...(await Promise.all(others.map((path) => look(path, { isNamed: false }))))];
  const found = looked.flatMap((one) => ('agent' in one ? [one.agent] : []));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const reasons = new Set(looked.flatMap((one) => ('reason' in one ? [one.reason] : [])));
  throw new SidescopeError('no-agent', found.length > 1 ? severalAgents(found) : noAgent(named, [...reasons]));
}

/**
 * The kernel lists what is bound in this network namespace, however the agent was started. A container sees its neighbours' there as well, but their paths lead
 * nowhere in its own file system.
 */
async function boundSockets(): Promise<string[]> {
  // Elsewhere than on Linux there is no such list: the usual place must do.
  const bound = await readFile('/proc/net/unix', 'utf8').catch(() => '');
  const listed = bound
    .split('\n')
    .map((line) => /\s(\/.*)$/.exec(line)?.[1] ?? '')
    .filter((path) => path.endsWith(`/${controlSocketName}`));
  return [...new Set(listed)].slice(0, maxSockets);
}

/** More agents than a machine has any use for. */
const maxSockets = 256;

type Look = { readonly agent: FoundAgent } | { readonly reason: string } | { readonly nothing: true };

async function look(socketPath: string, { isNamed }: { isNamed: boolean }): Promise<Look> {
  try {
    const { uid } = await lstat(socketPath);
    // Anybody may bind a socket of that name: what root asks unbidden is root's own.
    if (!isNamed && uid !== process.geteuid?.()) return { reason: `${socketPath} belongs to the user ${uid}` };
    return {
      agent: { ...(await ask(socketPath, { method: 'GET', path: '/agent', schema: controlAgentSchema })), socketPath },
    };
  } catch (error) {
    const code = systemCode(error);
    // Left by an agent that was killed, never there, or of another container.
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') return { nothing: true };
    if (code === 'EACCES') return { reason: `${socketPath} belongs to another user` };
    return { reason: `${socketPath}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function noAgent(named: string | undefined, reasons: readonly string[]): string {
  const user = process.geteuid?.();
  const where = named === undefined ? 'here' : `with the data directory ${resolve(named)}`;
  const none = `no agent runs ${where}${user === undefined ? '' : ` that the user ${user} may ask`}`;
  const hint = reasons.length > 0 ? 'Run this as the user of the agent.' : 'Run this in its container, or start one.';
  return [none, ...reasons].join('; ') + `. ${hint}`;
}

function severalAgents(found: readonly FoundAgent[]): string {
  const lines = found.map(
    ({ pid, dataDirectory, admin }) =>
      `  --data-dir ${dataDirectory ?? '(none)'}   pid ${pid}, ${admin === null ? 'no page' : admin.url}`,
  );
  return [`${found.length} agents run here; name one:`, ...lines].join('\n');
}

function systemCode(error: unknown): string | undefined {
  const cause = error instanceof SidescopeError ? error.cause : error;
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}
