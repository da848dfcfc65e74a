import { networkInterfaces } from 'node:os';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import { isLoopbackHost } from '../loopback.ts';
import type { SourceMapContext } from './find-positions.ts';
import type { PathMapping } from './target-files.ts';
import type { TargetProcess } from './target-root.ts';

/** Where the files of a watched target are to be looked for, now. Undefined when it was never attached. */
export function sourceMapContext(
  watcher: Pick<TargetWatcher, 'view'>,
  mappings: readonly PathMapping[],
): SourceMapContext | undefined {
  const { address, identity } = watcher.view;
  if (identity === null) return undefined;
  return { process: processOf(address, identity.pid), startedAtMs: Date.parse(identity.startedAt), mappings };
}

/** `pid:N` is a process of our own PID namespace; who listens at `host:port` has to be found out. */
function processOf(address: string, innerPid: number): TargetProcess {
  const [, pid] = /^pid:(\d+)$/.exec(address) ?? [];
  if (pid !== undefined) return { pid: Number(pid), inspectorPort: null, isLocal: true };
  const colon = address.lastIndexOf(':');
  return {
    pid: innerPid,
    inspectorPort: Number(address.slice(colon + 1)),
    isLocal: isOurs(address.slice(0, colon).replace(/^\[|\]$/g, '')),
  };
}

/** An address of this network namespace. Names are not resolved: the target then is reached through `--source-map-path`. */
function isOurs(host: string): boolean {
  if (isLoopbackHost(host)) return true;
  return Object.values(networkInterfaces()).some(
    (entries) => entries?.some(({ address }) => address === host) === true,
  );
}
