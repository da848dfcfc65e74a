import { isSidescopeError, SidescopeError } from '../../../protocol/error.ts';
import { formatAddress, parseInspectorAddress } from '../../attach/address.ts';
import type { InspectorAddress } from '../../attach/address.ts';
import { Attachment } from '../../attach/attachment.ts';
import { closeUnattended, leaveAndClose } from '../../attach/close-inspector.ts';
import type { ClosingResult } from '../../attach/close-inspector.ts';
import { discoverInspector } from '../../attach/discovery.ts';
import { isLoopbackHost, readListeningSockets, socketInodes } from '../../attach/listening-sockets.ts';
import { openInspector } from '../../attach/open-inspector.ts';
import { readProcess } from '../../attach/process.ts';
import type { ProcessFacts } from '../../attach/process.ts';
import { wrapperAdvice, wrapperOf } from '../../attach/wrapper-process.ts';

export interface Reached {
  readonly attachment: Attachment;
  /** As /proc shows it; undefined where the process is not in our PID namespace. */
  readonly facts: ProcessFacts | undefined;
  readonly address: string;
  readonly isExposed: boolean;
  /** Leaves, and closes an inspector that we opened. May be called once. */
  leave(): Promise<ClosingResult>;
}

/** A target in a native call takes the connection and does not answer: what is known then comes from /proc. */
const attachTimeoutMs = 3_000;

export async function reachPid(
  pid: number,
  options: { signalled: Set<string>; signal: AbortSignal },
): Promise<Reached> {
  const opened = await openInspector(pid, options);
  let attachment: Attachment;
  try {
    attachment = await attach(opened.address, options.signal);
  } catch (error) {
    const closing = await closeUnattended(opened);
    if (!isSidescopeError(error, 'inspector-timeout')) throw error;
    throw new SidescopeError('native-call', `process ${pid}: ${error.message}`, {
      cause: error,
      details: { what: 'answers nothing: it is in a native call', isSignalled: false, closing },
    });
  }
  const { facts } = opened;
  if (attachment.identity.pid !== facts.innerPid) {
    await attachment[Symbol.asyncDispose]();
    throw new SidescopeError(
      'inspector-bad-answer',
      `the inspector at ${formatAddress(opened.address)} is of process ${attachment.identity.pid}, not of ${pid}`,
    );
  }
  return {
    attachment,
    facts,
    address: formatAddress(opened.address),
    isExposed: opened.isExposed,
    leave: () => leaveAndClose(attachment, opened),
  };
}

export async function reachAddress(text: string, signal: AbortSignal): Promise<Reached> {
  const address = parseInspectorAddress(text);
  const attachment = await attach(address, signal);
  return {
    attachment,
    facts: await localProcess(address, attachment.identity.pid),
    address: formatAddress(address),
    isExposed: false,
    async leave() {
      await attachment[Symbol.asyncDispose]();
      return 'not-ours';
    },
  };
}

async function attach(address: InspectorAddress, signal: AbortSignal): Promise<Attachment> {
  const found = await discoverInspector(address, { timeoutMs: attachTimeoutMs, signal });
  const wrapper = wrapperOf(found.scriptUrl);
  if (wrapper !== undefined)
    throw new SidescopeError('wrapper-process', wrapperAdvice(wrapper, formatAddress(address)));
  const deadline = AbortSignal.timeout(attachTimeoutMs);
  const open = (): Promise<Attachment> =>
    Attachment.open(found.webSocketUrl, {
      scriptUrl: found.scriptUrl,
      signal: AbortSignal.any([signal, deadline]),
      listener: { onThreads: ignore, onExiting: ignore, onEnded: ignore },
    });
  try {
    try {
      return await open();
    } catch (error) {
      // V8 ended the evaluation after its 200 ms: on a machine under load the target was not on a processor for so long.
      if (!isSidescopeError(error, 'inspector-refused')) throw error;
      return await open();
    }
  } catch (error) {
    if (!deadline.aborted || signal.aborted) throw error;
    throw new SidescopeError(
      'inspector-timeout',
      `the inspector at ${formatAddress(address)} took the connection, and nothing was answered in ${attachTimeoutMs} ms: the target is in a native call, or stopped`,
      { cause: error },
    );
  }
}

/** The attachment's end shows itself in each question to it. */
function ignore(): void {}

/** The process of that pid here, if it is the one that listens at the address. */
async function localProcess({ host, port }: InspectorAddress, pid: number): Promise<ProcessFacts | undefined> {
  if (!isLoopbackHost(host) && host !== 'localhost') return undefined;
  const [listening, inodes] = await Promise.all([readListeningSockets('self'), socketInodes(pid)]);
  const isIts = listening.some((socket) => socket.port === port && inodes?.has(socket.inode) === true);
  // Gone in between: it is no more known than one elsewhere.
  return isIts ? readProcess(pid).catch(() => undefined) : undefined;
}
