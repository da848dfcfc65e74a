import { shortFrameText } from '../../../protocol/cpu-profile/frame-text.ts';
import { joinLines, shareText, sizeText, textTable } from '../../../protocol/text-table/table.ts';
import type { RouteSide } from './compare-routes.ts';
import type { Comparison, PodwiseChange } from './compare-sides.ts';

export interface SideReport {
  readonly revision: number;
  readonly replicaSet: string;
  readonly version: string;
  /** That gave a profile. */
  readonly pods: readonly string[];
}

export interface CompareReport extends Comparison {
  readonly workload: string;
  readonly durationMs: number;
  readonly before: SideReport;
  readonly after: SideReport;
}

export function comparisonText(report: CompareReport, limit: number): string {
  const { workload, durationMs, before, after, cpu, routes, memory, warnings } = report;
  return joinLines([
    `${workload}, ${durationMs / 1_000} s`,
    ...textTable(
      [
        { side: 'old', busy: cpu.busyBefore, samples: cpu.activeBefore, ...before },
        { side: 'new', busy: cpu.busyAfter, samples: cpu.activeAfter, ...after },
      ],
      {
        '': ({ side }) => side,
        revision: ({ revision }) => String(revision),
        version: ({ version }) => version,
        busy: ({ busy }) => shareText(busy),
        'busy samples': ({ samples }) => String(Math.round(samples)),
        pods: ({ pods }) => pods.join(', '),
      },
    ),
    ...warnings.map((warning) => `  ! ${warning}`),
    '',
    'Functions by change of their share of the busy time; + and - in every pod, and beyond the noise of sampling',
    ...textTable(cpu.functions, {
      change: ({ change }) => shareText(change, { signed: true }),
      old: ({ shareBefore }) => shareText(shareBefore),
      new: ({ shareAfter }) => shareText(shareAfter),
      'old pods': ({ rangeBefore }) => rangeText(rangeBefore),
      'new pods': ({ rangeAfter }) => rangeText(rangeAfter),
      '': (entry) => mark(entry),
      function: (entry) => shortFrameText({ ...entry, column: 0, scriptId: '' }),
    }),
    '',
    ...(routes.length === 0
      ? []
      : ['Latency in ms by route, the busiest first', ...routesTable(routes.slice(0, limit)), '']),
    'Memory, mean of the pods',
    ...textTable(memory, {
      change: ({ before: old, after: now }) =>
        old === null || now === null ? '-' : shareText(now / old - 1, { signed: true }),
      old: ({ before: old }) => (old === null ? '-' : sizeText(old)),
      new: ({ after: now }) => (now === null ? '-' : sizeText(now)),
      what: ({ name }) => name,
    }),
  ]);
}

function routesTable(routes: CompareReport['routes']): string[] {
  const number = (side: RouteSide | null, field: 'p50Ms' | 'p95Ms'): string => side?.[field].toPrecision(3) ?? '-';
  const errors = (side: RouteSide | null): string =>
    side === null ? '-' : shareText(side.errors / Math.max(1, side.count));
  return textTable(routes, {
    'p50 old': ({ before }) => number(before, 'p50Ms'),
    'p50 new': ({ after }) => number(after, 'p50Ms'),
    'p95 old': ({ before }) => number(before, 'p95Ms'),
    'p95 new': ({ after }) => number(after, 'p95Ms'),
    'errors old': ({ before }) => errors(before),
    'errors new': ({ after }) => errors(after),
    requests: ({ before, after }) => `${before?.count ?? 0} / ${after?.count ?? 0}`,
    route: ({ name }) => name,
  });
}

function mark({ isSure, change, kind }: PodwiseChange): string {
  const sign = isSure ? (change > 0 ? '+' : '-') : ' ';
  return `${sign} ${kind === 'changed' ? '' : kind}`.trimEnd();
}

function rangeText([least, most]: readonly [number, number]): string {
  return `${(least * 100).toFixed(1)}..${(most * 100).toFixed(1)}`;
}
