import { setTimeout as delay } from 'node:timers/promises';
import { closeInspectorExpression } from '../../protocol/inspector/expressions.ts';
import type { Attachment } from './attachment.ts';
import { discoverInspector } from './discovery.ts';
import { InspectorSocket } from './inspector-socket.ts';
import { countClients, readListeningSockets } from './listening-sockets.ts';
import type { OpenInspector } from './open-inspector.ts';
import { Session } from './session.ts';

/** `foreign-client`: somebody else uses it, and closing it would stop the target until he leaves. `no-answer`: it closes when the native call that it is in returns. */
export type ClosingResult = 'closed' | 'not-ours' | 'foreign-client' | 'no-answer' | 'target-gone';

const closedWithinMs = 1_000;
const pollMs = 10;

/** Leaves the target and closes its inspector, if we opened that and nobody else is connected to it by the kernel's account. Never rejects. */
export async function leaveAndClose(attachment: Attachment, opened: OpenInspector): Promise<ClosingResult> {
  if (!opened.isOurs) {
    await attachment[Symbol.asyncDispose]();
    return 'not-ours';
  }
  if (attachment.ended.aborted || attachment.isExiting) return 'target-gone';
  const { port } = opened.address;
  const { pid } = opened.facts;
  let isForeign = false;
  await attachment.leaveAndCloseInspector(async () => {
    isForeign = await staysAbove(1, { pid, port });
    return !isForeign;
  });
  if (isForeign) return 'foreign-client';
  return (await untilClosed(pid, port)) ? 'closed' : 'no-answer';
}

/**
 * The same where nothing was answered, so that there is no attachment: the target closes it when it can be interrupted again. Never rejects: when not even a
 * connection is to be had, nothing can be closed.
 */
export async function closeUnattended({ address, facts, isOurs }: OpenInspector): Promise<ClosingResult> {
  if (!isOurs) return 'not-ours';
  if (await staysAbove(0, { pid: facts.pid, port: address.port })) return 'foreign-client';
  try {
    const options = { timeoutMs: unattendedTimeoutMs, signal: new AbortController().signal };
    const { webSocketUrl } = await discoverInspector(address, options);
    const socket = await InspectorSocket.open(webSocketUrl, options);
    new Session('main', socket).evaluateLast(closeInspectorExpression, { withRequire: true });
    socket.terminate();
  } catch {
    // It went away by itself.
    return 'target-gone';
  }
  return (await untilClosed(facts.pid, address.port)) ? 'closed' : 'no-answer';
}

const unattendedTimeoutMs = 500;
const settleMs = 300;

/** Our own questions for /json/list may be on their way out. */
async function staysAbove(own: number, { pid, port }: { pid: number; port: number }): Promise<boolean> {
  const deadlineMs = performance.now() + settleMs;
  while ((await countClients(pid, port)) > own) {
    if (performance.now() > deadlineMs) return true;
    await delay(pollMs);
  }
  return false;
}

async function untilClosed(pid: number, port: number): Promise<boolean> {
  const deadlineMs = performance.now() + closedWithinMs;
  while (performance.now() < deadlineMs) {
    const listening = await readListeningSockets(pid);
    if (!listening.some((socket) => socket.port === port)) return true;
    await delay(pollMs);
  }
  return false;
}
