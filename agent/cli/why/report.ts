import type { ClosingResult } from '../../attach/close-inspector.ts';
import type { ActiveSpan, MemoryReading } from '../../../protocol/inspector/readings.ts';
import type { Hotspot, Shares } from './places.ts';
import { placeText } from './places.ts';
import { ageText } from '../age-text.ts';
import type { UsageRates } from './process-usage.ts';
import { percent } from './verdict.ts';
import type { Verdict } from './verdict.ts';

/** What `sidescope why --json` prints. Fields that are not known are null. */
export interface WhyReport {
  readonly target: TargetLine;
  readonly verdict: Verdict['code'] | 'no-inspector';
  /** The problem code that kept the inspector from being opened; null when it was. */
  readonly code: string | null;
  readonly text: string;
  readonly thread: string;
  readonly hotspot: Hotspot | null;
  readonly isNearby: boolean;
  readonly span: ActiveSpan | null;
  readonly shares: Shares | null;
  readonly busyWorkers: Verdict['busyWorkers'];
  readonly usage: UsageRates | null;
  readonly memory: MemoryReading | null;
  readonly child: { readonly pid: number; readonly command: string } | null;
  readonly inspector: ClosingResult | 'never-opened' | 'opens-later' | 'kept';
  readonly warnings: readonly string[];
  readonly next: string;
}

export interface TargetLine {
  readonly pid: number | null;
  readonly command: string;
  /** Null in the container of the one who asks. */
  readonly container: string | null;
  readonly nodeVersion: string | null;
  readonly uptimeMs: number | null;
}

const maxLines = 15;
const maxColumns = 160;

/** At most 15 lines; control characters of the target never reach the terminal. */
export function reportText(report: WhyReport): string {
  const { hotspot } = report;
  const row = (name: string, text: string | null | undefined | false): string[] =>
    typeof text === 'string' && text !== '' ? [`  ${name.padEnd(10)}${text}`] : [];
  const lines = [
    targetText(report.target),
    ...row('verdict', `${report.text}`),
    ...row(report.isNearby ? 'in or near' : 'in', hotspot && hotspotText(report, hotspot)),
    ...(hotspot?.calledBy ?? []).flatMap((place) => row('called by', placeText(place))),
    ...row('request', report.span && requestText(report.span)),
    ...row('waits for', report.child && `process ${report.child.pid}: ${report.child.command}`),
    ...row('time', report.shares && sharesText(report.shares)),
    ...row('cpu', report.usage && cpuText(report.usage)),
    ...row('memory', memoryText(report)),
    ...row('workers', workersText(report.busyWorkers)),
    ...row('inspector', inspectorText[report.inspector]),
    ...report.warnings.slice(0, 2).flatMap((warning) => row('warning', warning)),
    ...row('next', report.next),
  ];
  return `${lines.slice(0, maxLines).map(plain).join('\n')}\n`;
}

interface Findings {
  readonly verdict: Verdict;
  readonly usage: UsageRates | undefined;
  readonly memory: MemoryReading | null;
  /** As `sidescope why` and `--target` take it. */
  readonly target: number | string;
  readonly isWatching: boolean;
}

const nearLimit = 0.9;

/** The command that helps most, with what it is for. */
export function nextStep({ verdict, usage, memory, target, isWatching }: Findings): string {
  const agent = `sidescope --target ${typeof target === 'number' ? `pid:${target}` : target}`;
  if (memory !== null && memory.heapUsedBytes > memory.heapLimitBytes * nearLimit)
    return `${agent}   heap sampling there shows what fills the heap`;
  switch (verdict.code) {
    case 'throttled':
      return `raise the CPU limit (${usage?.cpuLimitCores ?? 'unknown'} cores): the process wants more than it may have`;
    case 'collecting-garbage':
      return `${agent}   heap sampling there shows which function allocates so much`;
    case 'blocked':
    case 'native-call':
      return isWatching
        ? 'this goes on until Ctrl-C; the call ends when it returns, or with kill'
        : `sidescope why ${target} --watch   shows whether it gets on; it ends when the call returns, or with kill`;
    case 'was-blocked':
    case 'busy':
    case 'worker-busy':
    case 'working':
      return `${agent}   a CPU profile there shows the rest`;
    case 'waiting':
      return isWatching ? 'let requests come in' : `sidescope why ${target} --watch   while requests come in`;
  }
}

export function nextStepWithout(pid: number, child: WhyReport['child']): string {
  if (child !== null) return `ps -fp ${child.pid}   shows since when it runs; the process goes on when that one ends`;
  return `sidescope why ${pid} --watch   waits for the end of the call and looks again`;
}

const inspectorText: Readonly<Record<WhyReport['inspector'], string>> = {
  closed: 'opened by SIGUSR1, closed again',
  'no-answer': 'opened by SIGUSR1; it closes when the native call returns',
  'foreign-client': 'opened by SIGUSR1 and left open: another client is connected to it',
  'target-gone': '',
  'not-ours': '',
  'never-opened': '',
  'opens-later': 'asked for by SIGUSR1: it opens when the call returns, and stays open until --watch closes it',
  kept: '',
};

function targetText({ pid, command, container, nodeVersion, uptimeMs }: TargetLine): string {
  const facts = [
    container === null ? [] : [`container ${container}`],
    nodeVersion === null ? [] : [`Node ${nodeVersion}`],
    uptimeMs === null ? [] : [`up ${ageText(uptimeMs)}`],
  ].flat();
  return `${pid === null ? '' : `pid ${pid}  `}${command}${facts.length === 0 ? '' : `  (${facts.join(', ')})`}`;
}

function hotspotText({ thread }: WhyReport, { place, doing, share }: Hotspot): string {
  const where = thread === 'main' ? '' : `${thread}: `;
  const what = doing === null ? '' : `  calling ${doing}`;
  return `${where}${placeText(place)}${what}  (${percent(share)} of samples)`;
}

function requestText({ traceId, spanId, name, route, sampled }: ActiveSpan): string {
  const label = route === null || name.includes(route) ? name : `${name} ${route}`;
  return `${label}  trace ${traceId}, span ${spanId}${sampled ? '' : ' (not sampled)'}`;
}

function sharesText({ javascript, native, gc, waiting }: Shares): string {
  return `JavaScript ${percent(javascript)}, native ${percent(native)}, garbage collection ${percent(gc)}, waiting ${percent(waiting)}  (main thread)`;
}

function cpuText({ cores, delayedRatio, throttledRatio, cpuLimitCores }: UsageRates): string {
  const all = cores.main + cores.v8 + cores.pool + cores.other;
  const parts = [`main thread ${cores.main.toFixed(2)}`];
  if (cores.v8 >= 0.01) parts.push(`V8's threads ${cores.v8.toFixed(2)}`);
  if (cores.pool >= 0.01) parts.push(`thread pool ${cores.pool.toFixed(2)}`);
  if (cores.other >= 0.01) parts.push(`others ${cores.other.toFixed(2)}`);
  const limit = cpuLimitCores === null ? '' : ` of ${cpuLimitCores}`;
  const throttled = throttledRatio === null ? '' : `; throttled ${percent(throttledRatio)}`;
  const others = (delayedRatio ?? 0) - (throttledRatio ?? 0);
  const delayed = others < noteworthyDelay ? '' : `; ${percent(others)} of the time others have the processors`;
  return `${all.toFixed(2)}${limit} cores: ${parts.join(', ')}${throttled}${delayed}`;
}

function memoryText({ memory, usage }: WhyReport): string {
  const rssBytes = usage?.rssBytes ?? memory?.rssBytes;
  const limitBytes = usage?.memoryLimitBytes ?? memory?.constrainedBytes ?? null;
  const parts = rssBytes === undefined ? [] : [`RSS ${ofLimit(rssBytes, limitBytes)}`];
  if (memory !== null) parts.push(`heap ${ofLimit(memory.heapUsedBytes, memory.heapLimitBytes)}`);
  if (memory !== null && memory.externalBytes > 32 * 2 ** 20) parts.push(`buffers ${mebibytes(memory.externalBytes)}`);
  return parts.join('; ');
}

const noteworthyDelay = 0.1;

function ofLimit(bytes: number, limitBytes: number | null): string {
  if (limitBytes === null) return `${mebibytes(bytes)}, no limit`;
  return `${mebibytes(bytes)} of ${mebibytes(limitBytes)} (${percent(bytes / limitBytes)})`;
}

function mebibytes(bytes: number): string {
  return bytes >= 10 * 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}

function workersText(workers: WhyReport['busyWorkers']): string {
  const [first, ...others] = workers;
  if (first === undefined) return '';
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  return `${first.thread} computes without a pause in ${placeText(first.hotspot.place)}${more}`;
}

function plain(line: string): string {
  // Function and file names are the target's to choose.
  const text = line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
  return text.length > maxColumns ? `${text.slice(0, maxColumns - 1)}…` : text;
}
