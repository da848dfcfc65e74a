import { z } from 'zod';
import { eventSchema } from './event.ts';
import { snapshotForecastSchema } from './forecast.ts';
import { hotFunctionsSchema } from './hot-functions.ts';
import { infoSchema } from './info.ts';
import { deletedProfilesSchema, operationListSchema, profileListSchema, targetListSchema } from './lists.ts';
import { operationSchema } from './operation.ts';
import { problemKinds, problemSchema } from './problem.ts';
import type { ProblemCode } from './problem.ts';
import { diskUsageSchema, profilePatchSchema, profileSchema } from './profile.ts';
import { apiPath, commonErrors, routes } from './routes.ts';
import type { Route, RouteAnswer } from './route.ts';
import { stacksSchema } from './stacks.ts';
import { stallListSchema, stallSchema } from './stalls.ts';
import { targetSchema } from './target.ts';
import { ticketSchema } from './ticket.ts';
import { routeListSchema, timelineDetailSchema, timelineListSchema, timelineSchema } from './timelines.ts';
import { memoryHistorySchema, memoryStatsSchema, vitalsHistorySchema, vitalsSchema } from './vitals.ts';

type Json = Record<string, unknown>;

/** OpenAPI 3.1 of the route table. Pure: the same table and version give the same document. */
export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const [name, route] of Object.entries<Route>(routes)) {
    if (route.hidden) continue;
    const path = apiPath + route.path.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(name, route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sidescope',
      version,
      summary: 'Profiles running Node.js processes over the V8 inspector.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'Scopes: view, capture, heap; admin may do everything' },
        ticket: { type: 'apiKey', in: 'query', name: 'ticket', description: 'From POST /profiles/:id/ticket' },
      },
      schemas: componentSchemas(),
    },
  };
}

const componentNames = new Map<z.ZodType, string>([
  [infoSchema, 'Info'],
  [targetSchema, 'Target'],
  [targetListSchema, 'TargetList'],
  [operationSchema, 'Operation'],
  [operationListSchema, 'OperationList'],
  [snapshotForecastSchema, 'SnapshotForecast'],
  [profileSchema, 'Profile'],
  [profileListSchema, 'ProfileList'],
  [profilePatchSchema, 'ProfilePatch'],
  [deletedProfilesSchema, 'DeletedProfiles'],
  [diskUsageSchema, 'DiskUsage'],
  [stacksSchema, 'Stacks'],
  [vitalsSchema, 'Vitals'],
  [vitalsHistorySchema, 'VitalsHistory'],
  [memoryStatsSchema, 'MemoryStats'],
  [memoryHistorySchema, 'MemoryHistory'],
  [stallSchema, 'Stall'],
  [stallListSchema, 'StallList'],
  [timelineSchema, 'Timeline'],
  [timelineListSchema, 'TimelineList'],
  [timelineDetailSchema, 'TimelineDetail'],
  [routeListSchema, 'RouteList'],
  [hotFunctionsSchema, 'HotFunctions'],
  [ticketSchema, 'Ticket'],
  [eventSchema, 'Event'],
  [problemSchema, 'Problem'],
]);

const referenceTo = (name: string) => `#/components/schemas/${name}`;

/** As input: answers then do not forbid the fields that later versions add. Zod's own pattern of a date is 300 characters. */
const jsonSchemaOptions = {
  io: 'input',
  override: ({ jsonSchema }: { jsonSchema: { format?: string; pattern?: string } }) => {
    if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  },
} as const;

function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of componentNames) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { ...jsonSchemaOptions, uri: referenceTo });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, withoutKeys(schema)]));
}

/** OpenAPI names the dialect once for the whole document, and components are found by path. */
function withoutKeys(schema: object): Json {
  const { $schema: _dialect, $id: _id, ...rest } = schema as Json;
  return rest;
}

function operationOf(name: string, route: Route): Json {
  const isPublic = route.scope === 'public';
  return {
    operationId: name,
    summary: route.summary,
    description: scopeSentence(route),
    ...(isPublic ? { security: [] } : {}),
    ...(route.ticket ? { security: [{ bearer: [] }, { ticket: [] }] } : {}),
    'x-scope': route.scope,
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(route.body) } } } }),
    responses: { ...Object.fromEntries(route.answers.map(answerOf)), ...problemAnswers(route) },
  };
}

export function scopeSentence(route: Route): string {
  if (route.scope === 'public') return 'Needs no credential.';
  const heap = route.heapScope === undefined ? '' : ` For heap artifacts also: \`${route.heapScope}\`.`;
  return `Scope: \`${route.scope}\`.${heap}${route.action === undefined ? '' : ` Audited as \`${route.action}\`.`}`;
}

function pathParameters(route: Route): Json[] {
  return [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(route: Route): Json[] {
  return queryProperties(route).map(({ name, schema }) => ({ name, in: 'query', required: false, schema }));
}

/** The query parameters of a route with their JSON schemas, in the order of the table. */
export function queryProperties(route: Route): { name: string; schema: Json }[] {
  if (route.query === undefined) return [];
  const schema = z.toJSONSchema(route.query, jsonSchemaOptions);
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({ name, schema: property as Json }));
}

function answerOf(answer: RouteAnswer): [string, Json] {
  const mediaType = answer.mediaType ?? (answer.schema === undefined ? undefined : 'application/json');
  const content =
    mediaType === undefined
      ? {}
      : { content: { [mediaType]: answer.schema === undefined ? {} : { schema: schemaOf(answer.schema) } } };
  return [String(answer.status), { description: answer.description, ...content }];
}

function schemaOf(schema: z.ZodType): Json {
  const name = componentNames.get(schema);
  return name === undefined ? withoutKeys(z.toJSONSchema(schema, jsonSchemaOptions)) : { $ref: referenceTo(name) };
}

function problemAnswers(route: Route): Json {
  const codesByStatus = new Map<number, ProblemCode[]>();
  for (const code of errorCodes(route)) {
    const { status } = problemKinds[code];
    codesByStatus.set(status, [...(codesByStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...codesByStatus].map(([status, codes]) => [
      String(status),
      {
        description: codes.map((code) => `\`${code}\`: ${problemKinds[code].cause}`).join('\n\n'),
        content: { 'application/problem+json': { schema: { $ref: referenceTo('Problem') } } },
      },
    ]),
  );
}

/** Every code that the route may answer. */
export function errorCodes(route: Route): ProblemCode[] {
  const credential = route.scope === 'public' ? [] : commonErrors.credential;
  return [...new Set<ProblemCode>([...route.errors, ...credential, ...commonErrors.all])];
}
