import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { InspectorAddress } from './address.ts';
import { discoverInspector } from './discovery.ts';
import { isLoopbackAddress } from '../loopback.ts';
import { readListeningSockets, socketInodes } from './listening-sockets.ts';
import type { ListeningSocket } from './listening-sockets.ts';
import { nodeFlags } from './process.ts';
import type { ProcessFacts } from './process.ts';

export interface FoundInspector {
  readonly address: InspectorAddress;
  /** It listens beyond loopback, where everybody who reaches it can run code in the process. */
  readonly isExposed: boolean;
}

/** What a busy application's own port may take for a question that is not for it. */
const askTimeoutMs = 500;
const maxAsked = 32;

/**
 * The inspector that a process has open already. Its descriptors say which listeners are its own; each is asked with one `GET /json/list`. Undefined also where the
 * descriptors are not ours to see. Rejects with `inspector-http-error` when it hides
 * itself by `--inspect-publish-uid=stderr`.
 */
export async function findInspector(facts: ProcessFacts, signal: AbortSignal): Promise<FoundInspector | undefined> {
  if (hasNoInspectorThread(facts)) return undefined;
  const [listening, inodes] = await Promise.all([readListeningSockets(facts.pid), socketInodes(facts.pid)]);
  const own = listening.filter(({ inode }) => inodes?.has(inode) === true);
  const likely = inspectorPort(facts);
  const candidates = own.toSorted((a, b) => rank(b, likely) - rank(a, likely)).slice(0, maxAsked);
  const answers = await Promise.all(candidates.map((socket) => ask(socket, signal)));
  const found = answers.find((answer) => answer === 'inspector' || answer === 'hidden');
  const socket = candidates[answers.findIndex((answer) => answer === found)];
  if (found === undefined || socket === undefined) return undefined;
  if (found === 'hidden') {
    // Every HTTP server answers 404: it is an inspector only where the process was told to hide one.
    if (!hidesInspector(facts)) return undefined;
    throw new SidescopeError(
      'inspector-http-error',
      `process ${facts.pid} has an inspector at port ${socket.port} and tells its address only on its stderr: it was started with --inspect-publish-uid=stderr; use --inspect-publish-uid=http`,
    );
  }
  return { address: addressOf(socket), isExposed: !isLoopbackAddress(socket.host) };
}

/** Where the process would open its inspector: as its flags say, else 9229; 0 is any free port. */
export function inspectorPort(facts: Pick<ProcessFacts, 'argv' | 'environment'>): number {
  const ports = nodeFlags(facts).flatMap((flag) => {
    const value = /^--(?:inspect(?:-brk|-wait|-port)?|debug-port)=(.*)$/.exec(flag)?.[1];
    const port = /(?:^|:)(\d{1,5})$/.exec(value ?? '')?.[1];
    return port === undefined ? [] : [Number(port)];
  });
  return ports.at(-1) ?? 9229;
}

async function ask(socket: ListeningSocket, signal: AbortSignal): Promise<'inspector' | 'hidden' | 'other'> {
  try {
    await discoverInspector(addressOf(socket), { timeoutMs: askTimeoutMs, signal });
    return 'inspector';
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SidescopeError)) throw error;
    return isSidescopeError(error, 'inspector-http-error') && error.message.includes('HTTP 404') ? 'hidden' : 'other';
  }
}

function addressOf({ host, port }: ListeningSocket): InspectorAddress {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  if (host === '::') return { host: '::1', port };
  return { host: host.replace(/^::ffff:/, ''), port };
}

function rank({ host, port }: ListeningSocket, likely: number): number {
  return (port === likely ? 2 : 0) + (isLoopbackAddress(host) ? 1 : 0);
}

/** From 24 on threads have names of their own: without `InspectorIo` there is no inspector, and no port of the application needs to be asked. */
function hasNoInspectorThread({ threadNames }: ProcessFacts): boolean {
  return threadNames.includes('SignalInspector') && !threadNames.includes('InspectorIo');
}

function hidesInspector(facts: ProcessFacts): boolean {
  return nodeFlags(facts).some((flag) => flag.startsWith('--inspect-publish-uid=') && !flag.includes('http'));
}
