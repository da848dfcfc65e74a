import type { SeriesName } from '../../protocol/rest/vitals.ts';

/** exit: the process ended, in whatever way; death: in one that alerts, which a deploy's does not. */
export type RuleEvent = 'stall' | 'saturation' | 'leak' | 'memory' | 'regression' | 'exit' | 'death';

/** A value over or under bounds; `forMs` is how long without a break. */
export interface Bounds {
  readonly above: number | null;
  readonly below: number | null;
  readonly forMs: number;
}

export type RuleLeaf =
  | ({ readonly kind: 'metric'; readonly metric: SeriesName } & Bounds)
  | ({
      readonly kind: 'series';
      readonly series: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly read: 'value' | 'rate' | 'quantile';
      readonly quantile: number;
    } & Bounds)
  | ({
      readonly kind: 'route';
      readonly route: string;
      readonly read: 'p50' | 'p95' | 'p99' | 'average' | 'errors' | 'requests';
      readonly minRequests: number;
    } & Bounds)
  | { readonly kind: 'event'; readonly event: RuleEvent };

export type RuleWhen =
  | RuleLeaf
  | { readonly kind: 'all'; readonly of: readonly RuleWhen[] }
  | { readonly kind: 'any'; readonly of: readonly RuleWhen[] };

export type RuleCapture =
  | {
      readonly kind: 'cpu';
      readonly durationMs: number;
      readonly intervalUs: number | undefined;
      readonly thread: string;
    }
  | {
      readonly kind: 'heap-sampling';
      readonly durationMs: number;
      readonly mode: 'live' | 'churn';
      readonly intervalBytes: number | undefined;
    }
  | { readonly kind: 'stacks' }
  /** Under admission, never forced. */
  | { readonly kind: 'heap-snapshot' }
  /** `afterMs` is waited for while the target runs. */
  | { readonly kind: 'recorder'; readonly beforeMs: number; readonly afterMs: number };

export interface Rule {
  readonly name: string;
  readonly isEnabled: boolean;
  readonly when: RuleWhen;
  /** Undefined: it only tells. */
  readonly capture: RuleCapture | undefined;
  /** Not again within `cooldownMs`, and `max` times in any `windowMs`; both per target. */
  readonly limits: { readonly cooldownMs: number; readonly max: number; readonly windowMs: number };
  readonly keep: { readonly isPinned: boolean; readonly labels: Readonly<Record<string, string>> };
  readonly alert: 'off' | 'info' | 'warning' | 'critical';
}

export function leavesOf(when: RuleWhen): RuleLeaf[] {
  return when.kind === 'all' || when.kind === 'any' ? when.of.flatMap(leavesOf) : [when];
}

/** For people: `utilization above 0.9 for 10 s`. */
export function whenText(when: RuleWhen): string {
  switch (when.kind) {
    case 'all':
      return when.of.map(groupText).join(' and ');
    case 'any':
      return when.of.map(groupText).join(' or ');
    case 'event':
      return `the event ${when.event}`;
    default:
      return `${subjectOf(when)} ${boundsText(when)}`;
  }
}

export function subjectOf(leaf: Exclude<RuleLeaf, { kind: 'event' }>): string {
  switch (leaf.kind) {
    case 'metric':
      return leaf.metric;
    case 'series': {
      const labels = Object.entries(leaf.labels).map(([name, value]) => `${name}="${value}"`);
      const what = leaf.read === 'quantile' ? `p${leaf.quantile * 100}` : leaf.read;
      return `${what} of ${leaf.series}${labels.length > 0 ? `{${labels.join(',')}}` : ''}`;
    }
    case 'route':
      return `${leaf.read} of ${leaf.route}`;
  }
}

export function boundsText({ above, below, forMs }: Bounds): string {
  const parts = [above === null ? [] : [`above ${above}`], below === null ? [] : [`below ${below}`]].flat();
  return `${parts.join(' and ')}${forMs > 0 ? ` for ${forMs / 1000} s` : ''}`;
}

function groupText(when: RuleWhen): string {
  return when.kind === 'all' || when.kind === 'any' ? `(${whenText(when)})` : whenText(when);
}
