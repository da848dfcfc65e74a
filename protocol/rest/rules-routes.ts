import type { Route } from './route.ts';
import { catchQuery, catchSchema, ruleExplanationSchema, ruleFiringSchema, rulesQuery, rulesSchema } from './rules.ts';

export const ruleRoutes = {
  listRules: {
    method: 'GET',
    path: '/rules',
    scope: 'view',
    summary: 'The rules of the configuration file: what they wait for, how near it is, what they captured',
    query: rulesQuery,
    answers: [{ status: 200, description: 'All of them, and what is to be caught', schema: rulesSchema }],
    errors: ['unknown-target'],
  },
  fireRule: {
    method: 'POST',
    path: '/rules/:id/fire',
    scope: 'capture',
    action: 'rule.fire',
    summary: 'Do now what a rule does, whatever its conditions and cooldown say; it counts as a firing',
    unknownId: 'unknown-rule',
    query: rulesQuery,
    answers: [{ status: 202, description: 'Fired; `GET /rules` shows what became of it', schema: ruleFiringSchema }],
    errors: ['unknown-rule', 'target-required', 'unknown-target', 'shutting-down'],
  },
  explainRule: {
    method: 'GET',
    path: '/rules/:id/explain',
    scope: 'view',
    summary: 'Why a rule did or did not fire: a dry run over the last hour',
    unknownId: 'unknown-rule',
    query: rulesQuery,
    answers: [{ status: 200, description: 'When it would have fired', schema: ruleExplanationSchema }],
    errors: ['unknown-rule', 'target-required', 'unknown-target', 'storage-failed'],
  },
  catchNext: {
    method: 'POST',
    path: '/rules/catch',
    scope: 'capture',
    action: 'rule.catch',
    summary: 'Catch the next one: the flight recorder is on until the event, its windows are kept, and it is off again',
    query: catchQuery,
    answers: [{ status: 202, description: 'It waits; `GET /rules` shows what became of it', schema: catchSchema }],
    errors: [
      'target-required',
      'unknown-target',
      'target-not-attached',
      'too-many-captures',
      'data-directory-unusable',
      'shutting-down',
    ],
  },
} as const satisfies Record<string, Route>;
