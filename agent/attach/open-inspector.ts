import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import { findInspector, inspectorPort } from './find-inspector.ts';
import type { FoundInspector } from './find-inspector.ts';
import { readListeningSockets, socketInodes } from './listening-sockets.ts';
import { readChildren, readMainThread, readSteadyNativeCall } from './main-thread.ts';
import { commandOf, isNode, link, nodeFlags, readProcess } from './process.ts';
import type { ProcessFacts } from './process.ts';
import { wrapperName } from './wrapper-process.ts';

export interface OpenInspector extends FoundInspector {
  readonly facts: ProcessFacts;
  /** Only then may it be closed again. */
  readonly isOurs: boolean;
}

export interface OpenOptions {
  /** Start times of processes that an earlier try has signalled and that could not open then: what is open in them now is ours. Added to. */
  readonly signalled: Set<string>;
  /** Of the process that is meant, when it was seen before: its pid may have gone to another one. */
  readonly startTicks?: string | undefined;
  readonly signal: AbortSignal;
}

/** A turning loop, and one that V8 can interrupt, opens it in 5-60 ms; loaded machines need longer. */
const idleTimeoutMs = 2_000;
/** In a native call it opens when that returns. */
const nativeTimeoutMs = 3_500;
const pollMs = 20;

/**
 * The inspector of a process: the one that is open, or else one that SIGUSR1 opens. That signal kills what is no Node and interrupts system calls, so it is sent
 * only after every check here, to the same process that was checked. Rejects with `no-such-process`, `not-a-node-process`, `wrapper-process`,
 * `process-of-another-user`, `inspector-disabled`, `cluster-primary`, `inspector-port-taken`, `native-call`, `signal-handled`, `inspector-http-error`.
 */
export async function openInspector(
  pid: number,
  { signalled, startTicks, signal }: OpenOptions,
): Promise<OpenInspector> {
  const { facts, open } = await lookForInspector(pid, { startTicks, signal });
  if (open !== undefined) return { ...open, facts, isOurs: signalled.has(facts.startTicks) };
  await refuseUnsafe(facts);
  const current = await readProcess(pid);
  if (current.startTicks !== facts.startTicks || !current.catchesSigusr1) {
    throw new SidescopeError('no-such-process', `process ${pid} was replaced by another one while it was checked`);
  }
  // Once is enough: the next try only looks whether the call has returned.
  if (!signalled.has(facts.startTicks)) sendSigusr1(facts);
  signalled.add(facts.startTicks);
  return { ...(await untilListening(facts, signal)), facts, isOurs: true };
}

/** The checks and the search alone: nothing is opened. Rejects with those of `openInspector` that need no signal. */
export async function lookForInspector(
  pid: number,
  { startTicks, signal }: Omit<OpenOptions, 'signalled'>,
): Promise<{ readonly facts: ProcessFacts; readonly open: FoundInspector | undefined }> {
  if (pid === process.pid) throw notNode(pid, 'it is this process itself');
  const facts = await readProcess(pid);
  if (startTicks !== undefined && facts.startTicks !== startTicks)
    throw new SidescopeError('no-such-process', `process ${pid} has ended, and another one has its number now`);
  if (!isNode(facts)) throw notNode(pid, `it is ${JSON.stringify(commandOf(facts))}`);
  await refuseOtherNetwork(facts);
  return { facts, open: await findInspector(facts, signal) };
}

/** Throws what keeps the process from being signalled. The order is that of certainty. */
async function refuseUnsafe(facts: ProcessFacts): Promise<void> {
  const { pid } = facts;
  const children = await readChildren(pid);
  const wrapper = wrapperName(facts);
  if (wrapper !== undefined) {
    const started = children.map((child) => `${child.pid} (${child.command})`).join(', ');
    throw new SidescopeError(
      'wrapper-process',
      `process ${pid} is ${wrapper}, not the application${started === '' ? '' : `; it started ${started}`}`,
    );
  }
  const user = process.geteuid?.();
  if (user !== 0 && user !== facts.uid) {
    throw new SidescopeError(
      'process-of-another-user',
      `process ${pid} belongs to the user ${facts.uid} and this one is ${user}: it cannot be signalled`,
    );
  }
  if ((await socketInodes(pid)) === undefined) {
    throw new SidescopeError(
      'process-of-another-user',
      `what process ${pid} does cannot be seen in /proc, so that it is not signalled: it runs with another group than this process (${process.getegid?.()}), or is protected`,
    );
  }
  refuseDisabled(facts);
  await refusePrimary(facts, children);
  await refuseTakenPort(facts);
  const call = await readSteadyNativeCall(pid, () => delay(pollMs));
  if (call !== undefined) {
    throw new SidescopeError('native-call', `the main thread of process ${pid} ${call.what}; it was not signalled`, {
      details: { what: call.what, isSignalled: false },
    });
  }
}

function refuseDisabled(facts: ProcessFacts): void {
  const flags = nodeFlags(facts);
  const permission = flags.find((flag) => /^--(experimental-)?permission$/.test(flag));
  if (permission !== undefined && !facts.catchesSigusr1) {
    throw new SidescopeError(
      'inspector-disabled',
      `process ${facts.pid} runs under the permission model (${permission}), which allows no inspector`,
    );
  }
  if (facts.catchesSigusr1) return;
  const reason = flags.includes('--disable-sigusr1')
    ? 'was started with --disable-sigusr1'
    : 'does not listen to SIGUSR1 (--disable-sigusr1, --permission, or it still starts)';
  throw new SidescopeError('inspector-disabled', `process ${facts.pid} ${reason}: no inspector can be opened`);
}

/** The primary passes the signal on: every worker then tries the same port, and all but one fail. */
async function refusePrimary(facts: ProcessFacts, children: readonly { pid: number }[]): Promise<void> {
  const read = await Promise.all(children.map(({ pid }) => readProcess(pid).catch(() => undefined)));
  const workers = read.filter((child) => child !== undefined && isClusterWorker(child, facts));
  if (workers.length === 0) return;
  const pids = workers.map((worker) => worker?.pid).join(', ');
  throw new SidescopeError(
    'cluster-primary',
    `process ${facts.pid} is the primary of a cluster, and its workers are ${pids}: signalled, it would make all of them open an inspector at one port`,
  );
}

/** Where its environment is not ours to read: the same program as its parent is. */
function isClusterWorker(child: ProcessFacts, parent: ProcessFacts): boolean {
  if (child.environment !== undefined) return child.environment['NODE_UNIQUE_ID'] !== undefined;
  return isNode(child) && child.argv[1] !== undefined && child.argv[1] === parent.argv[1];
}

async function refuseTakenPort(facts: ProcessFacts): Promise<void> {
  const port = inspectorPort(facts);
  const listening = await readListeningSockets(facts.pid);
  const taken = listening.find((socket) => socket.port === port && /^(127\.|0\.0\.0\.0|::)/.test(socket.host));
  if (port === 0 || taken === undefined) return;
  const isOwn = (await socketInodes(facts.pid))?.has(taken.inode) === true;
  throw new SidescopeError(
    'inspector-port-taken',
    isOwn
      ? `process ${facts.pid} listens at port ${port} itself and speaks no inspector protocol there`
      : `process ${facts.pid} would open its inspector at port ${port}, where another process listens`,
  );
}

async function refuseOtherNetwork({ pid, networkNamespace }: ProcessFacts): Promise<void> {
  const ours = await link('/proc/self/ns/net');
  if (networkNamespace === undefined || ours === undefined || networkNamespace === ours) return;
  throw new SidescopeError(
    'inspector-unreachable',
    `process ${pid} is in another network namespace (a container): its inspector listens on a loopback address that is not ours`,
  );
}

function sendSigusr1({ pid, uid }: ProcessFacts): void {
  try {
    process.kill(pid, 'SIGUSR1');
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    throw isGone
      ? new SidescopeError('no-such-process', `process ${pid} has ended`, { cause: error })
      : new SidescopeError(
          'process-of-another-user',
          `process ${pid} of the user ${uid} cannot be signalled by the user ${process.geteuid?.()}`,
          { cause: error },
        );
  }
}

async function untilListening(facts: ProcessFacts, signal: AbortSignal): Promise<FoundInspector> {
  const { pid } = facts;
  const startMs = performance.now();
  let idle = 0;
  for (;;) {
    await delay(pollMs, undefined, { signal });
    const now = await readProcess(pid);
    if (now.startTicks !== facts.startTicks) throw new SidescopeError('no-such-process', `process ${pid} has ended`);
    const found = await findInspector(now, signal);
    if (found !== undefined) return found;
    const { kind } = await readMainThread(pid);
    if (kind === 'event-loop') idle++;
    const waitedMs = performance.now() - startMs;
    // Seen waiting for events, it has had its chance to open: somebody else got the signal.
    if (waitedMs > idleTimeoutMs && idle > 1) throw await whyNotOpened(facts);
    if (waitedMs > nativeTimeoutMs) throw stuck(pid, kind);
  }
}

async function whyNotOpened(facts: ProcessFacts): Promise<SidescopeError> {
  await refuseTakenPort(facts);
  return new SidescopeError(
    'signal-handled',
    `SIGUSR1 opened no inspector in process ${facts.pid} within ${idleTimeoutMs} ms, though its event loop turns: the application has its own handler for that signal, which ran now`,
  );
}

function stuck(pid: number, kind: string): SidescopeError {
  const what = kind === 'running' ? 'computes in native code' : 'is in a native call';
  return new SidescopeError(
    'native-call',
    `the main thread of process ${pid} ${what}: SIGUSR1 opened no inspector within ${nativeTimeoutMs} ms; it opens when that call returns`,
    { details: { what, isSignalled: true } },
  );
}

function notNode(pid: number, what: string): SidescopeError {
  return new SidescopeError('not-a-node-process', `process ${pid} is no Node.js application: ${what}`);
}
