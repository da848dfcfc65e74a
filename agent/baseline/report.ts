import type { FunctionChange } from '../../protocol/rest/diff.ts';
import type { Regression } from '../../protocol/rest/regressions.ts';
import type { Condition, Evidence } from '../alerts/condition.ts';
import { functionsText, valueText } from './words.ts';

/** A finding as an alert; everything that is known of it travels with it. */
export function conditionOf(regression: Regression, functions: readonly FunctionChange[] | undefined): Condition {
  const {
    targetId,
    metric,
    severity,
    title,
    unit,
    baseline,
    now,
    change,
    reference,
    service,
    load,
    causes,
    explanation,
  } = regression;
  const [cause] = causes;
  return {
    problem: 'regression',
    targetId,
    key: metric,
    severity,
    title,
    text: [explanation ?? '', causes.map(({ text }) => text).join('. '), correlatedText(regression)]
      .filter((part) => part !== '')
      .join('. '),
    facts: {
      metric,
      baseline: baseline.median,
      now,
      change,
      reference: reference.kind,
      referenceVersion: reference.version,
      version: service.version,
      since: regression.since,
      loadRatio: load.ratio,
      loadSource: load.source,
      function: cause?.functionName ?? null,
      url: cause?.url ?? null,
      line: cause?.line ?? null,
      noise: valueText(baseline.noise, unit),
    },
    evidence: evidenceOf(regression, functions),
  };
}

function correlatedText({ correlated }: Regression): string {
  if (correlated.length === 0) return '';
  const short = (value: number): string => String(Number(value.toPrecision(3)));
  const texts = correlated.map(({ name, baseline, now, correlation }) => {
    const closely = correlation === null ? '' : ` (correlation ${correlation.toFixed(2)})`;
    return `${name} ${short(baseline)} -> ${short(now)}${closely}`;
  });
  return `Moved as well: ${texts.join(', ')}`;
}

function evidenceOf(regression: Regression, functions: readonly FunctionChange[] | undefined): Evidence[] {
  const json: Evidence = {
    name: 'regression.json',
    mediaType: 'application/json',
    text: JSON.stringify(regression, null, 2),
  };
  if (functions === undefined || functions.length === 0) return [json];
  return [json, { name: 'functions.txt', mediaType: 'text/plain', text: functionsText(functions) }];
}
