import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import { discoverInspector } from './discovery.ts';
import { isLoopbackAddress } from '../loopback.ts';
import { readListeningSockets, socketInodes } from './listening-sockets.ts';
import { findNodeProcesses } from './node-processes.ts';
import type { TargetSpec } from './target-source.ts';
import { wrapperOf } from './wrapper-process.ts';

/** A scan reads a few files of each process: a millisecond for a pod, some tens for a machine. */
const scanPauseMs = 5_000;
const askTimeoutMs = 500;
const maxAsked = 64;

export interface AutoTarget {
  readonly spec: TargetSpec;
  /** Of one process for good: its pid is given to another one some day. An address is the same one whoever listens there. */
  readonly key: string;
}

/**
 * `--target auto`: reports, round by round, each Node application that is there, and each inspector on loopback whose process is not to be seen (a pod without
 * shared process ids). Each listener is asked once. Until the signal; never rejects.
 */
export async function scanForTargets(
  onRound: (found: readonly AutoTarget[]) => void,
  signal: AbortSignal,
): Promise<void> {
  // A pod may start processes by the thousand: only listeners that are there are remembered.
  let isInspectorByKey = new Map<string, boolean>();
  while (!signal.aborted) {
    const processes = await findNodeProcesses();
    const visible = await Promise.all([process.pid, ...processes.map(({ pid }) => pid)].map(socketInodes));
    const listening = await readListeningSockets('self');
    const foreign = listening.filter(
      ({ host, inode }) => isLoopbackAddress(host) && !visible.some((inodes) => inodes?.has(inode)),
    );
    const found: AutoTarget[] = processes.map(({ pid, startTicks }) => ({
      spec: { pid },
      key: `${pid} ${startTicks}`,
    }));
    const known = isInspectorByKey;
    isInspectorByKey = new Map();
    for (const { host, port, inode } of foreign.slice(0, maxAsked)) {
      const key = `${inode} ${port}`;
      const isOne = known.get(key) ?? (await isInspector({ host, port }, signal));
      isInspectorByKey.set(key, isOne);
      if (isOne) found.push({ spec: { host, port }, key: `${host} ${port}` });
    }
    if (!signal.aborted) onRound(found);
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
