/** What is wrong, as the part that found it says it. `alerts` makes one episode of all reports with the same problem, target and key. */
export interface Condition {
  readonly problem: AlertProblem;
  readonly targetId: string;
  /** Tells episodes of one problem and target apart: a pool, a rule's name, a metric. */
  readonly key?: string;
  readonly severity: 'info' | 'warning' | 'critical';
  /** One sentence with the numbers: "heap used 92 % of its limit (1.9 of 2.1 GB)". */
  readonly title: string;
  /** More sentences, for people. */
  readonly text?: string;
  /** Numbers and names that a sink may filter by. */
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
  /** Travels with the alert, 100 kB in all; what is beyond is cut and says so. No heap content. */
  readonly evidence?: readonly Evidence[];
  /** Ids of stored profiles, of a stall, of a trace, to be linked. */
  readonly profileIds?: readonly string[];
  readonly traceId?: string | null;
}

export type AlertProblem =
  | 'memory-limit'
  | 'memory-leak'
  | 'target-death'
  | 'stall'
  | 'saturation'
  | 'regression'
  | 'rule'
  | 'inspector-exposed';

export interface Evidence {
  /** File name of the attachment: `sites.txt`, `vitals.json`. */
  readonly name: string;
  readonly mediaType: 'text/plain' | 'application/json';
  readonly text: string;
}

/** What the parts of the agent report to. Never throws and never waits: sinks work behind a bounded queue. */
export interface AlertDesk {
  /** Opens an episode, or updates the open one. */
  raise(condition: Condition): void;
  /** The condition is over: the episode closes after its hysteresis. */
  settle(episode: Pick<Condition, 'problem' | 'targetId' | 'key'>, why: string): void;
}
