import { readingErrors } from './reading-errors.ts';
import { alertRoutes } from './alerts-routes.ts';
import { baselineRoutes } from './baseline-routes.ts';
import { deathRoutes } from './deaths-routes.ts';
import { diffRoutes } from './diff-routes.ts';
import { heapAnalysisRoutes } from './heap-analysis-routes.ts';
import { egressRoutes } from './egress-routes.ts';
import { eventSchema } from './event.ts';
import { snapshotForecastSchema } from './forecast.ts';
import { infoSchema } from './info.ts';
import { deletedProfilesSchema, operationListSchema, profileListSchema, targetListSchema } from './lists.ts';
import { leakRoutes } from './leaks-routes.ts';
import { operationSchema } from './operation.ts';
import type { ProblemCode } from './problem.ts';
import { profilePatchSchema, profileSchema } from './profile.ts';
import {
  cpuStartQuery,
  cpuStopQuery,
  downloadQuery,
  heapForecastQuery,
  heapSamplingQuery,
  heapSnapshotQuery,
  memoryStatsQuery,
  operationsQuery,
  profilesDeleteQuery,
  profilesQuery,
  stacksQuery,
  stallsQuery,
  ticketQuery,
  vitalsQuery,
} from './requests.ts';
import type { Route } from './route.ts';
import { profileRequestRoutes } from './profile-requests-routes.ts';
import { profileSourceRoutes } from './profile-source-routes.ts';
import { recorderRoutes } from './recorder-routes.ts';
import { seriesRoutes } from './series-routes.ts';
import { ruleRoutes } from './rules-routes.ts';
import { stacksSchema } from './stacks.ts';
import { stallListSchema } from './stalls.ts';
import { ticketSchema } from './ticket.ts';
import { summaryRoutes } from './summary-routes.ts';
import { timelineRoutes } from './timelines-routes.ts';
import { memoryHistorySchema, memoryStatsSchema, vitalsHistorySchema } from './vitals.ts';

export const apiPath = '/api/v1/profiling';

const startErrors = [
  'target-required',
  'unknown-target',
  'unknown-thread',
  'target-not-attached',
  'wrapper-process',
  'too-many-captures',
  'capture-conflict',
  'disk-budget',
  'disk-full',
  'storage-failed',
  'shutting-down',
] as const;

const operationAnswers = [
  { status: 202, description: 'Queued or running; `Location` names the operation', schema: operationSchema },
  { status: 200, description: 'With `wait=true`: it has ended', schema: operationSchema },
] as const;

const file = 'application/octet-stream';

/** The contract. The router, the scopes that it enforces, the OpenAPI document and the documentation page are made from this table. */
export const routes = {
  openapi: {
    method: 'GET',
    path: '/openapi.json',
    scope: 'public',
    summary: 'This contract as OpenAPI 3.1',
    answers: [{ status: 200, description: 'The document', mediaType: 'application/json' }],
    errors: [],
  },
  docs: {
    method: 'GET',
    path: '/ui/docs',
    scope: 'public',
    summary: 'This contract as a page',
    answers: [{ status: 200, description: 'The page', mediaType: 'text/html' }],
    errors: [],
  },
  page: {
    method: 'GET',
    path: '/ui',
    scope: 'public',
    summary: 'The dashboard',
    answers: [{ status: 200, description: 'The page', mediaType: 'text/html' }],
    errors: ['page-not-built'],
  },
  pageFile: {
    method: 'GET',
    path: '/ui/*',
    scope: 'public',
    summary: 'Files of the dashboard',
    answers: [{ status: 200, description: 'A file' }],
    errors: ['not-found', 'page-not-built'],
    hidden: true,
  },
  info: {
    method: 'GET',
    path: '/info',
    scope: 'view',
    summary: 'Effective configuration, what is on, what is off and why, and who you are',
    answers: [{ status: 200, description: 'The agent', schema: infoSchema }],
    errors: [],
  },
  listTargets: {
    method: 'GET',
    path: '/targets',
    scope: 'view',
    summary: 'Identity, state, threads and versions of every target',
    answers: [{ status: 200, description: 'All of them', schema: targetListSchema }],
    errors: [],
  },
  startCpu: {
    method: 'POST',
    path: '/cpu/start',
    scope: 'capture',
    action: 'cpu.start',
    summary: 'Take a CPU profile',
    query: cpuStartQuery,
    answers: operationAnswers,
    errors: [...startErrors, 'too-many-samples'],
  },
  stopCpu: {
    method: 'POST',
    path: '/cpu/stop',
    scope: 'capture',
    action: 'cpu.stop',
    summary: 'End the CPU profile of a target early and keep what was sampled',
    query: cpuStopQuery,
    answers: operationAnswers,
    errors: ['target-required', 'unknown-target', 'nothing-to-stop'],
  },
  startHeapSnapshot: {
    method: 'POST',
    path: '/heap/snapshot',
    scope: 'heap',
    action: 'heap.snapshot',
    summary: 'Take a heap snapshot, unless it would probably kill or pause the target too long',
    query: heapSnapshotQuery,
    answers: operationAnswers,
    errors: [...startErrors, 'snapshot-refused'],
  },
  forecastHeapSnapshot: {
    method: 'GET',
    path: '/heap/snapshot/forecast',
    scope: 'view',
    summary: 'What a heap snapshot would do to the target, without taking it',
    query: heapForecastQuery,
    answers: [{ status: 200, description: 'The forecast', schema: snapshotForecastSchema }],
    errors: ['target-required', 'unknown-target', 'unknown-thread', 'target-not-attached', 'inspector-timeout'],
  },
  startHeapSampling: {
    method: 'POST',
    path: '/heap/sampling/start',
    scope: 'capture',
    action: 'heap.sampling.start',
    summary:
      'Take an allocation profile: what stays in memory (`mode=live`) or all that is allocated (`mode=churn`), by call site',
    query: heapSamplingQuery,
    answers: operationAnswers,
    errors: [...startErrors, 'too-many-samples', 'profiler-active', 'unsupported-target', 'inspector-timeout'],
  },
  readStacks: {
    method: 'POST',
    path: '/stacks',
    scope: 'capture',
    action: 'stacks',
    summary: 'What every thread executes now, with the active trace and span; also while the event loop is blocked',
    query: stacksQuery,
    answers: [{ status: 200, description: 'One entry per thread; nothing is stored', schema: stacksSchema }],
    errors: ['target-required', 'unknown-target', 'target-not-attached'],
  },
  readVitals: {
    method: 'GET',
    path: '/vitals',
    scope: 'view',
    summary: 'How the target is and was: memory, CPU, event loop, GC; every 5 s for an hour, every minute for 7 days',
    query: vitalsQuery,
    answers: [{ status: 200, description: 'Points and the latest reading', schema: vitalsHistorySchema }],
    errors: ['target-required', 'unknown-target', 'storage-failed'],
  },
  memoryStats: {
    method: 'GET',
    path: '/memory/stats',
    scope: 'view',
    summary: "The target's memory now, and what share of the heap limit and of the container's limit that is",
    query: memoryStatsQuery,
    answers: [{ status: 200, description: 'Read now', schema: memoryStatsSchema }],
    errors: [
      'target-required',
      'unknown-target',
      'target-not-attached',
      'target-gone',
      'inspector-timeout',
      'inspector-bad-answer',
    ],
  },
  memoryHistory: {
    method: 'GET',
    path: '/memory/history',
    scope: 'view',
    summary: "The target's memory over time; gaps stay gaps",
    query: vitalsQuery,
    answers: [{ status: 200, description: 'Points', schema: memoryHistorySchema }],
    errors: ['target-required', 'unknown-target', 'storage-failed'],
  },
  listStalls: {
    method: 'GET',
    path: '/stalls',
    scope: 'view',
    summary: 'When the event loop was blocked or saturated, and by what: function, line, trace',
    query: stallsQuery,
    answers: [{ status: 200, description: 'Newest first', schema: stallListSchema }],
    errors: ['unknown-target', 'storage-failed'],
  },
  ...alertRoutes,
  ...leakRoutes,
  ...deathRoutes,
  ...seriesRoutes,
  ...summaryRoutes,
  ...recorderRoutes,
  ...ruleRoutes,
  ...egressRoutes,
  ...diffRoutes,
  ...heapAnalysisRoutes,
  ...baselineRoutes,
  ...profileRequestRoutes,
  ...profileSourceRoutes,
  ...timelineRoutes,
  listOperations: {
    method: 'GET',
    path: '/operations',
    scope: 'view',
    summary: 'What runs, waits, and ended lately',
    query: operationsQuery,
    answers: [{ status: 200, description: 'Newest first', schema: operationListSchema }],
    errors: [],
  },
  getOperation: {
    method: 'GET',
    path: '/operations/:id',
    scope: 'view',
    summary: 'State, progress and bytes so far of one operation',
    unknownId: 'unknown-operation',
    answers: [{ status: 200, description: 'The operation', schema: operationSchema }],
    errors: ['unknown-operation'],
  },
  cancelOperation: {
    method: 'DELETE',
    path: '/operations/:id',
    scope: 'capture',
    action: 'operation.cancel',
    summary:
      'Cancel: a CPU or heap sampling profile is kept as far as it got; a snapshot is abandoned, but its pause goes on',
    unknownId: 'unknown-operation',
    answers: [{ status: 200, description: 'The operation as it is now', schema: operationSchema }],
    errors: ['unknown-operation', 'operation-ended'],
  },
  listProfiles: {
    method: 'GET',
    path: '/profiles',
    scope: 'view',
    summary: 'Stored profiles, newest first',
    query: profilesQuery,
    answers: [{ status: 200, description: 'One page', schema: profileListSchema }],
    errors: ['data-directory-unusable'],
  },
  deleteProfiles: {
    method: 'DELETE',
    path: '/profiles',
    scope: 'admin',
    action: 'profiles.delete',
    summary: 'Delete many; `before` or `kind` is required; pinned ones and those in use stay',
    query: profilesDeleteQuery,
    answers: [{ status: 200, description: 'What went and what stayed', schema: deletedProfilesSchema }],
    errors: ['data-directory-unusable', 'storage-failed'],
  },
  getProfile: {
    method: 'GET',
    path: '/profiles/:id',
    scope: 'view',
    summary: 'What is known about one profile',
    unknownId: 'unknown-profile',
    answers: [{ status: 200, description: 'The profile', schema: profileSchema }],
    errors: ['unknown-profile', 'data-directory-unusable'],
  },
  patchProfile: {
    method: 'PATCH',
    path: '/profiles/:id',
    scope: 'admin',
    action: 'profile.patch',
    summary: 'Pin, unpin, label',
    unknownId: 'unknown-profile',
    body: profilePatchSchema,
    answers: [{ status: 200, description: 'The profile as it is now', schema: profileSchema }],
    errors: ['unknown-profile', 'unsupported-media-type', 'data-directory-unusable', 'storage-failed'],
  },
  deleteProfile: {
    method: 'DELETE',
    path: '/profiles/:id',
    scope: 'admin',
    action: 'profile.delete',
    summary: 'Delete one',
    unknownId: 'unknown-profile',
    answers: [{ status: 204, description: 'It is gone' }],
    errors: ['unknown-profile', 'profile-in-use', 'profile-pinned', 'data-directory-unusable', 'storage-failed'],
  },
  downloadProfile: {
    method: 'GET',
    path: '/profiles/:id/download',
    scope: 'view',
    heapScope: 'heap',
    action: 'profile.download',
    ticket: true,
    summary:
      'The file. Resumable by Range; `format` converts CPU profiles; `redact` takes the contents out of heap snapshots',
    unknownId: 'unknown-profile',
    query: downloadQuery,
    answers: [
      { status: 200, description: 'The whole file', mediaType: file },
      { status: 206, description: 'The part that Range asks for', mediaType: file },
      { status: 304, description: 'The client has it: If-None-Match' },
    ],
    errors: ['unknown-profile', 'bad-ticket', 'unsupported-format', 'range-not-satisfiable', ...readingErrors],
  },
  makeTicket: {
    method: 'POST',
    path: '/profiles/:id/ticket',
    scope: 'view',
    heapScope: 'heap',
    action: 'profile.ticket',
    summary: 'A download link that needs no header, for ten minutes',
    unknownId: 'unknown-profile',
    query: ticketQuery,
    answers: [{ status: 201, description: 'The link', schema: ticketSchema }],
    errors: ['unknown-profile', 'unsupported-format', 'data-directory-unusable'],
  },
  events: {
    method: 'GET',
    path: '/events',
    scope: 'view',
    summary: 'Server-sent events: every change of targets, operations, profiles and storage',
    answers: [
      { status: 200, description: 'One event per change', schema: eventSchema, mediaType: 'text/event-stream' },
    ],
    errors: ['too-many-streams'],
  },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;

/** What any route may answer; the ones about credentials not on public routes. */
export const commonErrors = {
  all: [
    'invalid-request',
    'body-too-large',
    'headers-too-large',
    'request-timeout',
    'forbidden-host',
    'forbidden-origin',
    'internal',
  ],
  credential: ['unauthorized', 'forbidden-scope', 'jwt-keys-unavailable', 'too-many-attempts'],
} as const satisfies Record<string, readonly ProblemCode[]>;
