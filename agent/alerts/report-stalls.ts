import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Condition, Evidence } from './condition.ts';
import type { AlertDesk } from './condition.ts';

/** A stall that goes on is reported then, while it lasts; a shorter one at its end, when all is known of it. */
const reportAfterMs = 5_000;
/** As long as Kubernetes' usual liveness probe takes to give up: three failures, 10 s apart. */
const criticalMs = 30_000;
/** Stalls that go on at once: one per target, and one that was cut. */
const maxRemembered = 200;
const maxLines = 400;

interface StallSource {
  on(event: 'stall' | 'stall-ended', listener: (stall: Stall) => void): unknown;
  off(event: 'stall' | 'stall-ended', listener: (stall: Stall) => void): unknown;
}

/**
 * Blocked and saturated event loops of main threads as alerts: one episode per target and the function that it is most of the time in.
 * A worker that computes without a pause does what workers are for: its record is kept, nobody is woken. So it is with a main thread that got no CPU, for up to half a minute.
 */
export function reportStalls(monitor: StallSource, desk: AlertDesk): Disposable {
  /** Under which key an ongoing stall was reported: its hottest function may still change. */
  const keys = new Map<string, string>();
  const onStall = (stall: Stall): void => {
    if (stall.thread !== 'main' || stall.state !== 'ongoing' || stall.durationMs < reportAfterMs) return;
    if (!keys.has(stall.id) && (keys.size >= maxRemembered || isExcused(stall))) return;
    const key = keys.get(stall.id) ?? keyOf(stall);
    keys.set(stall.id, key);
    desk.raise(conditionOf(stall, key));
  };
  const onEnded = (stall: Stall): void => {
    if (stall.thread !== 'main' || (isExcused(stall) && !keys.has(stall.id))) return;
    const key = keys.get(stall.id) ?? keyOf(stall);
    keys.delete(stall.id);
    const condition = conditionOf(stall, key);
    desk.raise(condition);
    desk.settle(condition, stall.state === 'cut' ? 'the target or its connection ended' : 'the event loop turns again');
  };
  monitor.on('stall', onStall);
  monitor.on('stall-ended', onEnded);
  return {
    [Symbol.dispose]() {
      monitor.off('stall', onStall);
      monitor.off('stall-ended', onEnded);
    },
  };
}

function keyOf({ dominant, verdict }: Stall): string {
  if (dominant === null || verdict === 'starved') return verdict;
  const { functionName, url, lineNumber } = dominant.original ?? dominant;
  // The line of a function's sample moves about; one without a name has nothing else.
  return functionName === '' ? `${url}:${lineNumber}` : `${functionName} ${url}`;
}

function conditionOf(stall: Stall, key: string): Condition {
  const { kind, targetId, summary, durationMs, verdict, dominant, samples, span, gcMs, throttledMs, waitedMs } = stall;
  const place = dominant?.original ?? dominant;
  return {
    problem: kind === 'blocked' ? 'stall' : 'saturation',
    targetId,
    key,
    severity: kind === 'blocked' && durationMs >= criticalMs && verdict !== 'starved' ? 'critical' : 'warning',
    title: summary,
    facts: {
      stallId: stall.id,
      instanceId: stall.instanceId,
      startedAt: stall.startedAt,
      ongoing: stall.state === 'ongoing',
      durationMs,
      verdict,
      function: place?.functionName ?? null,
      url: place?.url ?? null,
      line: place?.lineNumber ?? null,
      share: dominant?.share ?? null,
      samples: samples.running,
      span: span?.name ?? null,
      route: span?.route ?? null,
      gcMs,
      throttledMs,
      waitedMs,
      cpuOperationId: stall.cpuOperationId,
    },
    evidence: stall.tree.length === 0 ? [] : [stackEvidence(stall)],
    traceId: span?.traceId ?? null,
  };
}

/** The machine's doing, not the program's; told all the same when it lasts so long that probes give up. */
function isExcused({ verdict, durationMs }: Stall): boolean {
  return verdict === 'starved' && durationMs < criticalMs;
}

function stackEvidence({ tree, summary, samples }: Stall): Evidence {
  const depths: number[] = [];
  const lines = tree.slice(0, maxLines).map(({ parent, original, ...frame }) => {
    const { functionName, url, lineNumber, columnNumber } = original ?? frame;
    const depth = parent < 0 ? 0 : (depths[parent] ?? 0) + 1;
    depths.push(depth);
    const count = String(frame.samples).padStart(4);
    const self = frame.self === 0 ? '    ' : String(frame.self).padStart(4);
    return `${count} ${self}  ${'  '.repeat(depth)}${functionName || '(anonymous)'} ${url}:${lineNumber}:${columnNumber}`;
  });
  const head = `${summary}\n\nSampled stacks, merged; ${samples.running} samples. Columns: samples in it, samples it ran itself.\n\n`;
  return { name: 'stacks.txt', mediaType: 'text/plain', text: `${head}${lines.join('\n')}\n` };
}
