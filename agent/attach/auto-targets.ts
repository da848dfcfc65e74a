import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import { discoverInspector } from './discovery.ts';
import { isLoopbackAddress } from '../loopback.ts';
import { readListeningSockets, socketInodes } from './listening-sockets.ts';
import { SeenOnce } from './seen-once.ts';
import { findNodeProcesses } from './node-processes.ts';
import type { TargetSpec } from './target-source.ts';
import { wrapperOf } from './wrapper-process.ts';

/** A scan reads a few files of each process: a millisecond for a pod, some tens for a machine. */
const scanPauseMs = 5_000;
const askTimeoutMs = 500;
const maxAsked = 64;

/**
 * `--target auto`: reports each Node application that is seen, once for each pid and start time, and each inspector on loopback whose process is not to be seen (a
 * pod without shared process ids). Each listener is asked once. Until the signal; never rejects.
 */
export async function scanForTargets(onFound: (spec: TargetSpec) => void, signal: AbortSignal): Promise<void> {
  // A pod may start processes by the thousand: only those that are there are remembered.
  const seen = new SeenOnce();
  while (!signal.aborted) {
    const processes = await findNodeProcesses();
    for (const { pid, startTicks } of processes) if (seen.isNew(`${pid} ${startTicks}`)) onFound({ pid });
    const visible = await Promise.all([process.pid, ...processes.map(({ pid }) => pid)].map(socketInodes));
    const listening = await readListeningSockets('self');
    const foreign = listening.filter(
      ({ host, inode }) => isLoopbackAddress(host) && !visible.some((inodes) => inodes?.has(inode)),
    );
    for (const { port, inode } of foreign) seen.note(`${inode} ${port}`);
    for (const { host, port, inode } of foreign.slice(0, maxAsked)) {
      if (seen.isNew(`${inode} ${port}`) && (await isInspector({ host, port }, signal))) onFound({ host, port });
    }
    seen.endRound();
    // The only rejection is the signal, which ends the loop.
    await delay(scanPauseMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function isInspector(address: { host: string; port: number }, signal: AbortSignal): Promise<boolean> {
  try {
    const { scriptUrl } = await discoverInspector(address, { timeoutMs: askTimeoutMs, signal });
    return wrapperOf(scriptUrl) === undefined;
  } catch (error) {
    // Whatever listens there, it is no inspector that can be opened.
    if (error instanceof SidescopeError || signal.aborted) return false;
    throw error;
  }
}
