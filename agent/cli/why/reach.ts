import { isSidescopeError, SidescopeError } from '../../../protocol/error.ts';
import { formatAddress, parseInspectorAddress } from '../../attach/address.ts';
import type { InspectorAddress } from '../../attach/address.ts';
import { Attachment } from '../../attach/attachment.ts';
import { closeUnattended, leaveAndClose } from '../../attach/close-inspector.ts';
import type { ClosingResult } from '../../attach/close-inspector.ts';
import { discoverInspector } from '../../attach/discovery.ts';
import { readListeningSockets, socketInodes } from '../../attach/listening-sockets.ts';
import { isLoopbackHost } from '../../loopback.ts';
import { openInspector } from '../../attach/open-inspector.ts';
import { readProcess } from '../../attach/process.ts';
import type { ProcessFacts } from '../../attach/process.ts';
import { wrapperAdvice, wrapperOf } from '../../attach/wrapper-process.ts';
import { askFirst } from './observe.ts';
import type { FirstQuestions } from './observe.ts';
import type { AnswerTime } from './schedule.ts';

export interface Reached {
  readonly isSilent: false;
  readonly attachment: Attachment;
  readonly first: FirstQuestions;
  /** As /proc shows it; undefined where the process is not in our PID namespace. */
  readonly facts: ProcessFacts | undefined;
  readonly address: string;
  readonly isExposed: boolean;
  /** Whether the inspector was opened by us. */
  readonly isOurs: boolean;
  /** Leaves, and closes an inspector that we opened. May be called once. */
  leave(): Promise<ClosingResult>;
}

/** It took the connection and answered nothing: what is known of it then comes from /proc. */
export interface Silent {
  readonly isSilent: true;
  readonly isOurs: boolean;
  /** Of the inspector, if we opened it. Never rejects. */
  readonly closing: Promise<ClosingResult>;
}

export interface ReachOptions {
  readonly time: AnswerTime;
  readonly signal: AbortSignal;
}

/** Rejects as `openInspector` does, and with what the inspector refuses. */
export async function reachPid(
  pid: number,
  options: ReachOptions & { readonly signalled: Set<string> },
): Promise<Reached | Silent> {
  const opened = await openInspector(pid, options);
  let attached: Attached;
  try {
    attached = await attach(opened.address, options);
  } catch (error) {
    const closing = closeUnattended(opened);
    if (isSidescopeError(error, 'inspector-timeout')) return { isSilent: true, isOurs: opened.isOurs, closing };
    await closing;
    throw error;
  }
  const { attachment } = attached;
  const { facts } = opened;
  if (attachment.identity.pid !== facts.innerPid) {
    await attachment[Symbol.asyncDispose]();
    throw new SidescopeError(
      'inspector-bad-answer',
      `the inspector at ${formatAddress(opened.address)} is of process ${attachment.identity.pid}, not of ${pid}`,
    );
  }
  return {
    isSilent: false,
    ...attached,
    facts,
    address: formatAddress(opened.address),
    isExposed: opened.isExposed,
    isOurs: opened.isOurs,
    leave: () => leaveAndClose(attachment, opened),
  };
}

export async function reachAddress(text: string, options: ReachOptions): Promise<Reached> {
  const address = parseInspectorAddress(text);
  const attached = await attach(address, options);
  const { attachment } = attached;
  return {
    isSilent: false,
    ...attached,
    facts: await localProcess(address, attachment.identity.pid),
    address: formatAddress(address),
    isExposed: false,
    isOurs: false,
    async leave() {
      await attachment[Symbol.asyncDispose]();
      return 'not-ours';
    },
  };
}

/** The inspector's own thread answers it, whatever the target does. */
const listTimeoutMs = 3_000;

type Attached = Pick<Reached, 'attachment' | 'first'>;

async function attach(address: InspectorAddress, { time, signal }: ReachOptions): Promise<Attached> {
  using late = time.attachDeadline();
  const startMs = performance.now();
  const both = AbortSignal.any([signal, late.signal]);
  const open = async (): Promise<Attached> => {
    const found = await discoverInspector(address, { timeoutMs: listTimeoutMs, signal: both });
    const wrapper = wrapperOf(found.scriptUrl);
    if (wrapper !== undefined)
      throw new SidescopeError('wrapper-process', wrapperAdvice(wrapper, formatAddress(address)));
    let first: FirstQuestions | undefined;
    const attachment = await Attachment.open(found.webSocketUrl, {
      scriptUrl: found.scriptUrl,
      signal: both,
      listener: { onThreads: ignore, onExiting: ignore, onEnded: ignore },
      early: (main) => (first = askFirst(main, signal)),
    });
    return { attachment, first: first ?? askFirst(attachment.main, signal) };
  };
  try {
    try {
      return await open();
    } catch (error) {
      // V8 ended the evaluation after its 200 ms: on a machine under load the target was not on a processor for so long.
      if (!isSidescopeError(error, 'inspector-refused')) throw error;
      return await open();
    }
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error;
    const waitedMs = Math.round(performance.now() - startMs);
    throw new SidescopeError(
      'inspector-timeout',
      `the inspector at ${formatAddress(address)} took the connection, and nothing was answered in ${waitedMs} ms: the target is in a native call, or stopped`,
      { cause: error },
    );
  }
}

/** The attachment's end shows itself in each question to it. */
function ignore(): void {}

/** The process of that pid here, if it is the one that listens at the address. */
async function localProcess({ host, port }: InspectorAddress, pid: number): Promise<ProcessFacts | undefined> {
  if (!isLoopbackHost(host)) return undefined;
  const [listening, inodes] = await Promise.all([readListeningSockets('self'), socketInodes(pid)]);
  const isIts = listening.some((socket) => socket.port === port && inodes?.has(socket.inode) === true);
  // Gone in between: it is no more known than one elsewhere.
  return isIts ? readProcess(pid).catch(() => undefined) : undefined;
}
