import { setTimeout as delay } from 'node:timers/promises';
import type { Attachment } from './attachment.ts';
import { readTcpTable } from './listening-sockets.ts';
import type { OpenInspector } from './open-inspector.ts';

/** `foreign-client`: somebody else uses it, and closing it would stop the target until he leaves. `no-answer`: it closes when the native call that it is in returns. */
export type ClosingResult = 'closed' | 'not-ours' | 'foreign-client' | 'no-answer' | 'target-gone';

const closedWithinMs = 2_000;
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
    // One of them is ours: the end of the target is counted, not that of the client.
    const { establishedPorts } = await readTcpTable(pid);
    isForeign = establishedPorts.filter((one) => one === port).length > 1;
    return !isForeign;
  });
  if (isForeign) return 'foreign-client';
  return (await untilClosed(pid, port)) ? 'closed' : 'no-answer';
}

async function untilClosed(pid: number, port: number): Promise<boolean> {
  const deadlineMs = performance.now() + closedWithinMs;
  while (performance.now() < deadlineMs) {
    const { listening } = await readTcpTable(pid);
    if (!listening.some((socket) => socket.port === port)) return true;
    await delay(pollMs);
  }
  return false;
}
