import { Counter } from 'prom-client';
import type { Metrics } from './metrics.ts';

interface ObservedRules {
  totals(): readonly { rule: string; target: string; fired: number; cooldown: number; limit: number }[];
}

/** What rules did, and what the flight recorder had no room for; read when it is scraped. */
export function observeRules(
  { registry }: Metrics,
  { rules, recorder }: { rules: ObservedRules; recorder: { readonly droppedWindows: number } },
): void {
  const registers = [registry];
  new Counter({
    name: 'sidescope_rule_firings_total',
    help: 'How often a rule fired, over all agents of this data directory.',
    labelNames: ['rule', 'target'],
    registers,
    collect() {
      this.reset();
      for (const { rule, target, fired } of rules.totals()) this.inc({ rule, target }, fired);
    },
  });
  new Counter({
    name: 'sidescope_rule_suppressed_total',
    help: 'Episodes in which the conditions of a rule held, and its cooldown or its limit kept it from firing.',
    labelNames: ['rule', 'target', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const { rule, target, cooldown, limit } of rules.totals()) {
        this.inc({ rule, target, reason: 'cooldown' }, cooldown);
        this.inc({ rule, target, reason: 'limit' }, limit);
      }
    },
  });
  new Counter({
    name: 'sidescope_recorder_dropped_windows_total',
    help: 'Windows of the flight recorder that went before their time because all together were over the bound of bytes.',
    registers,
    collect() {
      this.reset();
      this.inc(recorder.droppedWindows);
    },
  });
}
