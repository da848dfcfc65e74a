import type { SeriesName } from '../../protocol/rest/vitals.ts';
import { boundsText, subjectOf, type RuleEvent, type RuleLeaf, type RuleWhen } from './rule.ts';

type ValueLeaf = Exclude<RuleLeaf, { kind: 'event' }>;

/** What conditions are about, at one moment of one target. null: not known now. */
export interface RuleReadings {
  metric(name: SeriesName): number | null;
  series(leaf: Extract<RuleLeaf, { kind: 'series' }>): number | null;
  route(leaf: Extract<RuleLeaf, { kind: 'route' }>): number | null;
  /** How long ago the event came, and what it was. */
  event(event: RuleEvent): { readonly agoMs: number; readonly title: string } | undefined;
}

export interface LeafReading {
  readonly text: string;
  readonly value: number | null;
  readonly holds: boolean;
  /** How long its value has been in the bounds; null for events, and outside. */
  readonly sinceMs: number | null;
}

export interface Evaluation {
  readonly holds: boolean;
  /** Of all conditions, in the order of the file. */
  readonly leaves: readonly LeafReading[];
}

/** So long an event is one: conditions of metrics beside it come with the next reading. */
const eventMs = 60_000;

/** The conditions of one rule for one target, which remember how long they have held. Times only ever grow, whatever they are of. */
export class RuleEvaluator {
  readonly #when: RuleWhen;
  readonly #sinceMs = new Map<RuleLeaf, number>();
  /** Events before belong to a firing that was. */
  #firedMs = -Infinity;

  constructor(when: RuleWhen) {
    this.#when = when;
  }

  evaluate(readings: RuleReadings, nowMs: number): Evaluation {
    const leaves: LeafReading[] = [];
    const holds = this.#holds(this.#when, { readings, nowMs, leaves });
    return { holds, leaves };
  }

  /** It has fired: an event fires it once. */
  consume(nowMs: number): void {
    this.#firedMs = nowMs;
  }

  /** Nobody knows what was between the reading before and the next one: whatever held for how long begins anew. */
  restart(): void {
    this.#sinceMs.clear();
  }

  #holds(when: RuleWhen, parts: { readings: RuleReadings; nowMs: number; leaves: LeafReading[] }): boolean {
    // Each is asked, whatever the others say: how long it has held goes on.
    if (when.kind === 'all') return when.of.map((each) => this.#holds(each, parts)).every(Boolean);
    if (when.kind === 'any') return when.of.map((each) => this.#holds(each, parts)).some(Boolean);
    const { readings, nowMs, leaves } = parts;
    const leaf = when.kind === 'event' ? this.#event(when, readings, nowMs) : this.#value(when, readings, nowMs);
    leaves.push(leaf);
    return leaf.holds;
  }

  #event({ event }: Extract<RuleLeaf, { kind: 'event' }>, readings: RuleReadings, nowMs: number): LeafReading {
    const last = readings.event(event);
    const holds = last !== undefined && last.agoMs < eventMs && nowMs - last.agoMs > this.#firedMs;
    const text = holds ? `${event}: ${last.title}` : `no ${event}`;
    return { text, value: null, holds, sinceMs: null };
  }

  #value(leaf: ValueLeaf, readings: RuleReadings, nowMs: number): LeafReading {
    const value = valueOf(leaf, readings);
    const isInside = value !== null && value > (leaf.above ?? -Infinity) && value < (leaf.below ?? Infinity);
    if (!isInside) this.#sinceMs.delete(leaf);
    else if (!this.#sinceMs.has(leaf)) this.#sinceMs.set(leaf, nowMs);
    const since = this.#sinceMs.get(leaf);
    const sinceMs = since === undefined ? null : nowMs - since;
    return {
      // Made when it is asked for: a dry run has 50,000 of them.
      get text() {
        return `${subjectOf(leaf)} is ${value === null ? 'not known' : shortNumber(value)}, wanted ${boundsText(leaf)}`;
      },
      value,
      holds: sinceMs !== null && sinceMs >= leaf.forMs,
      sinceMs,
    };
  }
}

/** For people: the conditions that hold, with their values. */
export function whyOf({ leaves }: Evaluation): string {
  return leaves.flatMap(({ holds, text }) => (holds ? [text] : [])).join('; ');
}

function valueOf(leaf: ValueLeaf, readings: RuleReadings): number | null {
  switch (leaf.kind) {
    case 'metric':
      return readings.metric(leaf.metric);
    case 'series':
      return readings.series(leaf);
    case 'route':
      return readings.route(leaf);
  }
}

function shortNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
