import { SidescopeError } from '../../protocol/error.ts';
import { isLoopbackHost } from '../loopback.ts';
import { formatAddress, targetId } from './address.ts';
import type { InspectorAddress } from './address.ts';
import { containerOf } from './container.ts';
import { listensBeyondLoopback } from './listening-sockets.ts';
import { lookForInspector, openInspector } from './open-inspector.ts';
import type { OpenInspector } from './open-inspector.ts';

/** A target as the options name it. */
export type TargetSpec = InspectorAddress | { readonly pid: number };

export interface FoundTarget {
  readonly address: InspectorAddress;
  /** Of a target named by its pid: whoever answers must be that process. */
  readonly opened: OpenInspector | undefined;
  readonly warnings: readonly string[];
  /** The inspector listens beyond loopback, as far as can be seen from here. */
  readonly isExposed: boolean;
  /** As `containerOf` says it; null also where the process is not to be seen. */
  readonly container: string | null;
}

/** Where a target is to be found, asked at each attempt to attach. */
export interface TargetSource {
  /** Stable over restarts of the agent, safe in paths and queries. */
  readonly id: string;
  /** As the person gave it. */
  readonly label: string;
  find(signal: AbortSignal): Promise<FoundTarget>;
  /** Whether an inspector is open that we did not open. Undefined where none can be opened either: at an address. */
  readonly isOpen: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  /** To be called when an inspector that we opened was closed: the next one needs a signal again. */
  onClosed(): void;
}

export function targetSource(spec: TargetSpec): TargetSource {
  return 'pid' in spec ? processSource(spec.pid) : addressSource(spec);
}

function addressSource(address: InspectorAddress): TargetSource {
  return {
    id: targetId(address),
    label: formatAddress(address),
    async find() {
      // Another machine's listeners cannot be seen; who names such an address knows that it is open to the network.
      const isExposed = isLoopbackHost(address.host) && (await listensBeyondLoopback(address.port));
      return { address, opened: undefined, warnings: exposure(address, isExposed), isExposed, container: null };
    },
    isOpen: undefined,
    onClosed: () => undefined,
  };
}

/** One process: when it has ended, whoever gets its pid is another one, and is not signalled. */
function processSource(pid: number): TargetSource {
  const signalled = new Set<string>();
  let startTicks: string | undefined;
  return {
    id: `pid-${pid}`,
    label: `pid:${pid}`,
    async find(signal) {
      const opened = await openInspector(pid, { signalled, startTicks, signal });
      startTicks ??= opened.facts.startTicks;
      const { address, isExposed } = opened;
      const warnings = exposure(address, isExposed);
      return { address, opened, warnings, isExposed, container: await containerOf(pid) };
    },
    async isOpen(signal) {
      const { facts, open } = await lookForInspector(pid, { startTicks, signal });
      startTicks ??= facts.startTicks;
      return open !== undefined && !signalled.has(facts.startTicks);
    },
    onClosed: () => signalled.clear(),
  };
}

function exposure(address: InspectorAddress, isExposed: boolean): string[] {
  if (!isExposed) return [];
  const at = formatAddress(address);
  return [`the inspector at ${at} listens beyond loopback: whoever reaches it can run code in the target`];
}

/** Throws when another process answered. */
export function checkIdentity({ opened, address }: FoundTarget, pid: number): void {
  if (opened === undefined || opened.facts.innerPid === pid) return;
  throw new SidescopeError(
    'inspector-bad-answer',
    `the inspector at ${formatAddress(address)} is of process ${pid}, not of ${opened.facts.pid}`,
  );
}
