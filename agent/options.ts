import { formatAddress } from './attach/address.ts';
import { isLoopbackHost } from './loopback.ts';
import { readConfigFile } from './options/config-file.ts';
import { quote, readArguments, readEnvironment } from './options/sources.ts';
import type { OptionProblem, OptionRow, OptionSource, OptionTable, SourceReading } from './options/sources.ts';
import { formatTarget, valueTypes } from './options/value-types.ts';
import type { Address, Parsed, Target, ValueLimits } from './options/value-types.ts';

/**
 * Every option there is. Flags, environment, file, help and the README's table come from it. An option is here only
 * when it works.
 */
export const optionTable = {
  target: {
    group: 'Targets',
    type: 'target',
    repeatable: true,
    default: '127.0.0.1:9229',
    meaning:
      'A process to profile, by the address of its inspector or by its pid; the agent waits for an address that is not there yet. By pid the inspector is opened where it is not (SIGUSR1), and closed when the agent leaves; `auto` takes every Node.js process there is, 32 at a time, and lets go of those that have ended.',
  },
  'inspector-lifetime': {
    group: 'Targets',
    type: 'choice',
    values: ['always', 'capture'],
    default: 'always',
    meaning:
      'How long an inspector stays open that the agent has opened (targets by pid): `always`, while it is attached, or during each `capture` only. Then there are no vitals, and stalls are not noticed.',
  },
  'data-dir': {
    group: 'Storage',
    type: 'path',
    default: './.sidescope',
    meaning: 'Where profiles and their index are kept. One agent per directory.',
  },
  'disk-budget': {
    group: 'Storage',
    type: 'size',
    default: '2GiB',
    min: '1MiB',
    meaning: 'Bound on everything that the agent writes; the oldest unpinned profiles make room before a capture.',
  },
  'retention-count': {
    group: 'Storage',
    type: 'count',
    default: '200',
    max: '100000',
    zero: 'no limit by count',
    meaning: 'How many profiles are kept.',
  },
  'retention-age': {
    group: 'Storage',
    type: 'duration',
    default: '7d',
    min: '1m',
    max: '3650d',
    zero: 'no limit by age',
    meaning: 'How long profiles are kept.',
  },
  'admin-address': {
    group: 'Listeners and access',
    type: 'address',
    default: '127.0.0.1:7777',
    meaning: 'API and page. Loopback only; reach it from elsewhere by port-forward. Port 0 picks a free one.',
  },
  'ops-address': {
    group: 'Listeners and access',
    type: 'address-or-off',
    default: '0.0.0.0:7778',
    meaning: 'Health and metrics, without credentials. Port 0 picks a free one.',
  },
  'allowed-hosts': {
    group: 'Listeners and access',
    type: 'host',
    repeatable: true,
    default: null,
    meaning: 'Names, besides localhost and loopback addresses, that the Host header of an API request may carry.',
  },
  'token-file': {
    group: 'Listeners and access',
    type: 'path',
    default: null,
    meaning: 'SHA-256 hashes of the tokens that may use the API; read again when it changes.',
  },
  jwks: {
    group: 'Listeners and access',
    type: 'jwks',
    default: null,
    meaning:
      'Public keys (a JSON Web Key Set) of who signs the tokens of your users, such as the backend itself, an identity provider, or Kubernetes: a file, read again when it changes, or an https address (http on this machine), read every ten minutes. Their tokens (JWT) may then use the API beside the others.',
  },
  'jwks-token-file': {
    group: 'Listeners and access',
    type: 'path',
    default: null,
    meaning: 'Bearer token that the address of `--jwks` wants, read again for each reading.',
  },
  'jwks-ca-file': {
    group: 'Listeners and access',
    type: 'path',
    default: null,
    meaning: 'PEM file with the authorities that the address of `--jwks` is trusted by, instead of the public ones.',
  },
  'jwt-issuer': {
    group: 'Listeners and access',
    type: 'text',
    default: null,
    meaning: 'The `iss` of tokens that are accepted. Needed with `--jwks`.',
  },
  'jwt-audience': {
    group: 'Listeners and access',
    type: 'text',
    repeatable: true,
    default: null,
    meaning:
      'An `aud` of tokens that are accepted. Needed with `--jwks`, so that a token made for another service opens nothing here.',
  },
  'jwt-role-claim': {
    group: 'Listeners and access',
    type: 'text',
    default: 'roles',
    meaning:
      'The claim with the roles of a user, also as a path: `roles`, `realm_access.roles`, `scope`; for service accounts of Kubernetes `sub`.',
  },
  'jwt-role': {
    group: 'Listeners and access',
    type: 'role-scopes',
    repeatable: true,
    default: 'admin=admin',
    meaning: 'What a role may do: `profiling:admin=admin`, `oncall=view+capture`. Other roles may do nothing.',
  },
  'vitals-interval': {
    group: 'Vitals and stalls',
    type: 'duration',
    default: '5s',
    min: '1s',
    max: '1m',
    zero: 'no vitals are read',
    meaning: 'How often memory, CPU, event loop and GC of each target are read.',
  },
  'stall-threshold': {
    group: 'Vitals and stalls',
    type: 'duration',
    default: '1s',
    min: '200ms',
    max: '10m',
    zero: 'no stalls are watched for',
    meaning: 'An event loop blocked for this long is a stall: its stacks are sampled and kept.',
  },
  'stall-interval': {
    group: 'Vitals and stalls',
    type: 'duration',
    default: '500ms',
    min: '100ms',
    max: '30s',
    meaning: 'How often the event loop is asked whether it still turns.',
  },
  'memory-interval': {
    group: 'Memory',
    type: 'duration',
    default: '60s',
    min: '1s',
    max: '1h',
    zero: 'memory limits are not watched',
    meaning: 'How often it is decided whether a target is near its memory limit.',
  },
  'memory-threshold': {
    group: 'Memory',
    type: 'share',
    default: '0.9',
    min: '0.5',
    max: '0.99',
    meaning: "Share of the heap's limit, or of the container's where that is nearer, from which on there is an alert.",
  },
  'heap-analysis': {
    group: 'Captures',
    type: 'flag',
    default: 'false',
    meaning:
      'Analyse heap snapshots in the agent on request, in a process of its own: it takes about twice the bytes of the file, and is refused where the container has less. Without it the page analyses them in the browser.',
  },
  'flight-recorder': {
    group: 'Captures',
    type: 'flag',
    default: 'false',
    meaning:
      'Keep CPU windows of the last ten minutes, sampled every 10 ms, so that the minute before an alert can be read. Costs a target up to 1 % of its CPU, and one stall of 40-300 ms when it begins.',
  },
  'metrics-url': {
    group: 'Metrics of the target',
    type: 'url',
    default: null,
    secret: true,
    meaning:
      "The target's own Prometheus page, such as `http://127.0.0.1:3000/metrics`: its series are kept, and passed on at `/target-metrics` of the ops listener.",
  },
  'metrics-interval': {
    group: 'Metrics of the target',
    type: 'duration',
    default: '60s',
    min: '1s',
    max: '1h',
    zero: 'the page is read along with who reads `/target-metrics`, and never otherwise',
    meaning: 'How often the page is read, while nobody reads `/target-metrics`; less often while it is slow.',
  },
  'metrics-token-file': {
    group: 'Metrics of the target',
    type: 'path',
    default: null,
    meaning: 'Bearer token for the page, read again for each reading. Not used for `/target-metrics`.',
  },
  'metrics-ca-file': {
    group: 'Metrics of the target',
    type: 'path',
    default: null,
    meaning: 'PEM file with the authorities that the page is trusted by, instead of the public ones.',
  },
  'state-url': {
    group: 'Baseline and regressions',
    type: 'state-url',
    default: null,
    defaultText: 'DATA-DIR/state',
    meaning:
      'Directory or bucket that keeps what is normal for each version of each service, with one merged CPU profile of it. A new version is compared with the one before only where both find the same: a volume that outlives the pod, or `s3://BUCKET/PREFIX`.',
  },
  'regression-interval': {
    group: 'Baseline and regressions',
    type: 'duration',
    default: '60s',
    min: '1s',
    max: '1h',
    zero: 'nothing is compared',
    meaning:
      'One window. The first baseline is of windows 3 to 7, the settled one of 30 with load and a flat memory floor; what is worse must be so in 3.',
  },
  'regression-cpu': {
    group: 'Baseline and regressions',
    type: 'share',
    default: '0.5',
    min: '0.05',
    meaning:
      'Growth of CPU, and of CPU per request, over the baseline from which on there is an alert; 0.1 core at least.',
  },
  'regression-memory': {
    group: 'Baseline and regressions',
    type: 'share',
    default: '0.3',
    min: '0.05',
    meaning:
      'Growth of memory over the baseline from which on there is an alert; 32 MiB at least. From 0.5 on it is critical.',
  },
  'regression-series': {
    group: 'Baseline and regressions',
    type: 'series-rule',
    repeatable: true,
    default: null,
    meaning:
      'A scraped series to compare as well: `value`, `rate` or a quantile of a histogram, what change is too much, and the least difference. Labels are divided by spaces: `rate(http_errors_total{code=500 method=GET}) +50% 0.1`, `p99(job_seconds) +100%`, `value(workers_ready) -30%`.',
  },
  'egress-url': {
    group: 'Egress',
    type: 'egress-url',
    repeatable: true,
    default: null,
    secret: true,
    meaning:
      'Where profiles are sent as they are stored: `s3://BUCKET/PREFIX` (with `?endpoint=https://HOST` for what is not AWS), `pyroscope+https://HOST`, `file:///PATH`, `webhook+https://HOST/PATH`. Filters, names and credentials from files are in the file of `--config`, under `egress:`.',
  },
  'liveness-budget': {
    group: 'Captures',
    type: 'duration',
    default: '20s',
    max: '1h',
    zero: 'every heap snapshot needs `force`',
    meaning: 'The longest pause that a heap snapshot may impose on its target without `force`.',
  },
  'capture-concurrency': {
    group: 'Captures',
    type: 'count',
    default: '1',
    min: '1',
    max: '8',
    meaning: 'Heavy captures that may run on one target at once.',
  },
  'capture-queue': {
    group: 'Captures',
    type: 'count',
    default: '4',
    max: '64',
    zero: 'a capture that cannot start at once is refused',
    meaning: 'Captures that may wait for their turn on one target.',
  },
  'source-map-path': {
    group: 'Captures',
    type: 'path-mapping',
    repeatable: true,
    default: null,
    meaning:
      "Where a directory of the target is mounted here, for its source maps: `/app=/mnt/app`. Without it the target's own root is read, where it is visible.",
  },
  'source-lines': {
    group: 'Captures',
    type: 'flag',
    default: 'true',
    meaning: 'Keep the source text around the hottest lines with each CPU profile, as far as it can be read.',
  },
  'service-name': {
    group: 'Alerts',
    type: 'text',
    default: null,
    defaultText: 'from the target',
    alsoFrom: ['OTEL_SERVICE_NAME'],
    meaning:
      'What the application is called in alerts. Otherwise its OpenTelemetry resource, its Deployment, or its package.json says.',
  },
  'service-version': {
    group: 'Alerts',
    type: 'text',
    default: null,
    defaultText: 'from the target',
    meaning:
      "The application's version in alerts. Otherwise its OpenTelemetry resource, its pod template's hash, or its package.json says.",
  },
  'sentry-dsn': {
    group: 'Alerts',
    type: 'sentry-dsn',
    default: null,
    secret: true,
    alsoFrom: ['SENTRY_DSN'],
    meaning: 'Alerts go to this Sentry project, one issue per problem, with their evidence attached.',
  },
  'sentry-environment': {
    group: 'Alerts',
    type: 'text',
    default: null,
    defaultText: 'production',
    alsoFrom: ['SENTRY_ENVIRONMENT'],
    meaning: 'The environment in Sentry.',
  },
  'sentry-release': {
    group: 'Alerts',
    type: 'text',
    default: null,
    defaultText: 'NAME@VERSION of the service',
    alsoFrom: ['SENTRY_RELEASE'],
    meaning: 'The release in Sentry.',
  },
  'webhook-url': {
    group: 'Alerts',
    type: 'url',
    default: null,
    secret: true,
    meaning: 'Every change of an alert is posted there as JSON.',
  },
  'webhook-secret-file': {
    group: 'Alerts',
    type: 'path',
    default: null,
    meaning: 'Key that signs what is posted (HMAC-SHA256), 16 bytes or more; read again for every message.',
  },
  'telemetry-endpoint': {
    group: 'The agent itself',
    type: 'url',
    default: null,
    secret: true,
    alsoFrom: ['OTEL_EXPORTER_OTLP_ENDPOINT'],
    meaning: "Captures and alerts go there as OpenTelemetry spans of the agent's own, by OTLP over HTTP.",
  },
  'span-reading-rate': {
    group: 'Requests',
    type: 'count',
    default: '20',
    max: '50',
    zero: 'profiles are joined with requests by time alone',
    meaning:
      'How often a second, while a CPU profile is taken, the active OpenTelemetry span of the interrupted program is read, so that samples belong to requests. Less often where that would take over 1 % of a core.',
  },
  'otlp-address': {
    group: 'Requests',
    type: 'address-or-off',
    default: '127.0.0.1:4318',
    meaning:
      'Where the application sends its OpenTelemetry data (OTLP over HTTP); 127.0.0.1 stands for [::1] too. When the port is taken, as by a collector, nothing is received. Port 0 picks a free one.',
  },
  'otlp-path': {
    group: 'Requests',
    type: 'url-path',
    default: '/',
    meaning: 'In front of `/v1/traces`, `/v1/metrics` and `/v1/logs`, for exporters whose endpoint has a path.',
  },
  'otlp-body-limit': {
    group: 'Requests',
    type: 'size',
    // What the OpenTelemetry Collector's own receiver takes. A batch of the SDK (512 spans) has about 115 kB, one of a collector (8,192) 2 MB.
    default: '20MiB',
    min: '64KiB',
    max: '256MiB',
    meaning:
      "The largest request that is taken, as sent and decompressed. The OpenTelemetry Collector's own limit is the default.",
  },
  'otlp-forward': {
    group: 'Requests',
    type: 'url',
    default: null,
    secret: true,
    alsoFrom: ['OTEL_EXPORTER_OTLP_ENDPOINT'],
    meaning: 'Where all that is received goes on to (OTLP over HTTP); `/v1/traces` and so on are put behind it.',
  },
  'otlp-forward-traces': {
    group: 'Requests',
    type: 'url',
    default: null,
    secret: true,
    alsoFrom: ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'],
    meaning: 'Where traces go on to instead, exactly as written.',
  },
  'otlp-forward-headers': {
    group: 'Requests',
    type: 'headers',
    default: null,
    secret: true,
    alsoFrom: ['OTEL_EXPORTER_OTLP_HEADERS'],
    meaning: 'Headers for both, such as `api-key=abc`; they go before those that the application sends.',
  },
  'otlp-forward-queue': {
    group: 'Requests',
    type: 'size',
    default: '32MiB',
    min: '1MiB',
    max: '1GiB',
    meaning: 'What may wait in memory while the upstream is down; then the oldest requests are dropped, and counted.',
  },
  config: {
    group: 'The agent itself',
    type: 'path',
    default: null,
    from: ['flag', 'environment'],
    meaning: 'YAML or JSON file with options: `data-dir: /data`.',
  },
  strict: {
    group: 'The agent itself',
    type: 'flag',
    default: null,
    defaultText: 'on with a terminal, else off',
    meaning: 'Exit when an option is wrong. Otherwise the agent stays up with that option at its default, and says so.',
  },
  ttl: {
    group: 'The agent itself',
    type: 'duration',
    default: '0',
    min: '1s',
    max: '24d',
    zero: 'it runs until it is stopped',
    meaning: 'The agent stops by itself after this time, as at SIGTERM, with exit code 0; for `kubectl debug`.',
  },
  'log-level': {
    group: 'The agent itself',
    type: 'choice',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
    meaning: 'The least important lines that are still logged, to stderr.',
  },
  help: {
    group: 'The agent itself',
    type: 'flag',
    default: 'false',
    short: 'h',
    from: ['flag'],
    meaning: 'Print this text and exit.',
  },
  version: {
    group: 'The agent itself',
    type: 'flag',
    default: 'false',
    short: 'v',
    from: ['flag'],
    meaning: 'Print the version and exit.',
  },
} as const satisfies OptionTable;

export type OptionName = keyof typeof optionTable;

/** `disk-budget` is `diskBudgetBytes`, `retention-age` is `retentionAgeMs`; an option that is not set is undefined. */
export type Options = { readonly [Name in OptionName as FieldName<Name>]: FieldValue<(typeof optionTable)[Name]> };

export interface ResolvedOptions {
  readonly options: Options;
  readonly sources: Readonly<Record<OptionName, OptionSource>>;
  /** In the order of the sources: all of them, also those that another one outvotes. */
  readonly problems: readonly OptionProblem[];
}

/**
 * Flag before environment before file before default. Never rejects: an option with a problem has its default, and the
 * problem says so. Whether to go on is the caller's decision (`options.strict`).
 */
export async function resolveOptions({
  argv,
  environment,
  readFile,
  isTerminal,
}: {
  argv: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  readFile: (path: string) => Promise<string>;
  isTerminal: boolean;
}): Promise<ResolvedOptions> {
  const readings: [OptionSource, SourceReading][] = [
    ['flag', readArguments(argv, optionTable)],
    ['environment', readEnvironment(environment, optionTable)],
  ];
  const path = readings.map(([, { given }]) => given.get('config')?.[0]?.text).find((text) => text !== undefined);
  if (path !== undefined) readings.push(['file', await readConfigFile({ path, table: optionTable, readFile })]);

  const problems = readings.flatMap(([, reading]) => reading.problems);
  const options: Record<string, unknown> = {};
  const sources: Record<string, OptionSource> = {};
  for (const [name, row] of Object.entries<OptionRow>(optionTable)) {
    const { source, values } = readOption({ name, row, readings, problems });
    options[fieldName(name, row)] = row.repeatable === true ? values : values[0];
    sources[name] = source;
  }
  options['strict'] ??= isTerminal;

  // The table and the loop above make exactly these fields; test/options holds the two together.
  const resolved = { options: options as unknown as Options, sources: sources as Record<OptionName, OptionSource> };
  for (const check of checks) {
    const message = check.problem(resolved.options);
    if (message === undefined) continue;
    problems.push({ severity: 'error', option: check.option, message });
    resolved.options = { ...resolved.options, ...check.instead(resolved.options) };
    if (isDefault(check.option, resolved.options)) resolved.sources[check.option] = 'default';
  }
  return { ...resolved, problems };
}

/** The values in force as text, for the log, `/info` and the page. Secrets are hidden. */
export function describeOptions({
  options,
  sources,
}: ResolvedOptions): { name: OptionName; value: string; source: OptionSource }[] {
  return (Object.keys(optionTable) as OptionName[]).map((name) => {
    const text = valueText(name, options);
    const row: OptionRow = optionTable[name];
    return { name, value: row.secret === true && text !== '' ? '(hidden)' : text, source: sources[name] };
  });
}

/** What must hold between options, or beyond the syntax of one; `instead` is what the agent goes on with. */
const checks: readonly {
  readonly option: OptionName;
  problem(options: Options): string | undefined;
  instead(options: Options): Partial<Options>;
}[] = [
  {
    option: 'admin-address',
    problem: ({ adminAddress }) =>
      isLoopbackHost(adminAddress.host)
        ? undefined
        : `admin-address ${formatAddress(adminAddress)} is not a loopback address: the API can read the target's ` +
          'memory and is not offered to the network; using 127.0.0.1:7777, to be reached by port-forward',
    instead: () => ({ adminAddress: { host: '127.0.0.1', port: 7777 } }),
  },
  {
    option: 'ops-address',
    problem: ({ adminAddress, opsAddress }) =>
      opsAddress === 'off' || !isSameListener(adminAddress, opsAddress)
        ? undefined
        : `admin-address ${formatAddress(adminAddress)} and ops-address ${formatAddress(opsAddress)} cannot both ` +
          'listen on that port; the ops listener is off',
    instead: () => ({ opsAddress: 'off' }),
  },
  {
    option: 'jwks',
    problem: ({ jwks, jwtIssuer, jwtAudience, jwksTokenFile, jwksCaFile }) =>
      jwks !== undefined || [jwtIssuer, jwtAudience[0], jwksTokenFile, jwksCaFile].every((value) => value === undefined)
        ? undefined
        : 'jwks is not set, and jwt-issuer, jwt-audience, jwks-token-file or jwks-ca-file is; no JWT is accepted',
    instead: () => ({}),
  },
  {
    option: 'jwks',
    problem: ({ jwks, jwtIssuer, jwtAudience }) =>
      jwks === undefined || (jwtIssuer !== undefined && jwtAudience.length > 0)
        ? undefined
        : 'jwks is set without jwt-issuer and jwt-audience: tokens made for any service would be let in; no JWT is accepted',
    instead: () => ({ jwks: undefined }),
  },
  {
    option: 'regression-series',
    problem: ({ regressionSeries, metricsUrl }) =>
      regressionSeries.length === 0 || metricsUrl !== undefined
        ? undefined
        : 'regression-series is set and metrics-url is not; there are no series to compare',
    instead: () => ({ regressionSeries: [] }),
  },
  {
    option: 'webhook-secret-file',
    problem: ({ webhookUrl, webhookSecretFile }) =>
      webhookSecretFile === undefined || webhookUrl !== undefined
        ? undefined
        : 'webhook-secret-file is set and webhook-url is not; nothing is posted',
    instead: () => ({ webhookSecretFile: undefined }),
  },
  {
    option: 'metrics-token-file',
    problem: ({ metricsUrl, metricsTokenFile }) =>
      metricsTokenFile === undefined || metricsUrl !== undefined
        ? undefined
        : 'metrics-token-file is set and metrics-url is not; no page is read',
    instead: () => ({ metricsTokenFile: undefined }),
  },
  {
    option: 'target',
    problem: ({ target }) => {
      const repeated = target.find((one, index) => target.findIndex((other) => isSameTarget(one, other)) < index);
      return repeated === undefined ? undefined : `target ${formatTarget(repeated)} is given more than once; used once`;
    },
    instead: ({ target }) => ({
      target: target.filter((one, index) => target.findIndex((other) => isSameTarget(one, other)) === index),
    }),
  },
  {
    option: 'target',
    problem: ({ target }) =>
      target.length <= maxTargets
        ? undefined
        : `${target.length} targets are more than one agent takes; using the first ${maxTargets}`,
    instead: ({ target }) => ({ target: target.slice(0, maxTargets) }),
  },
];

/** Each target holds sessions and, at worst, one inspector message of 8 MiB in memory. */
const maxTargets = 32;

interface OptionReading {
  readonly name: string;
  readonly row: OptionRow;
  readonly readings: readonly (readonly [OptionSource, SourceReading])[];
  readonly problems: OptionProblem[];
}

function readOption({ name, row, readings, problems }: OptionReading): { source: OptionSource; values: unknown[] } {
  const byDefault = (row.default === null ? [] : [row.default]).map((text) => valueOf(parseValue(text, row)));
  let chosen: { source: OptionSource; values: unknown[] } | undefined;
  for (const [source, { given }] of readings) {
    const entries = given.get(name) ?? [];
    const values: unknown[] = [];
    let refused = false;
    for (const { text, where } of entries.flatMap((entry) => (row.repeatable ? split(entry) : [entry]))) {
      const parsed = parseValue(text, row);
      if ('value' in parsed) {
        values.push(parsed.value);
        continue;
      }
      refused = true;
      const seen = row.secret === true ? '' : ` ${quote(text)}`;
      const instead = row.defaultText ?? row.default ?? 'none';
      const consequence = chosen === undefined ? `; using the default (${instead})` : '';
      problems.push({ severity: 'error', option: name, message: `${where}${seen} ${parsed.problem}${consequence}` });
    }
    if (entries.length > 0) chosen ??= refused ? { source: 'default', values: byDefault } : { source, values };
  }
  return chosen ?? { source: 'default', values: byDefault };
}

function parseValue(text: string, row: OptionRow): Parsed<unknown> {
  const parse: (text: string, limits: ValueLimits) => Parsed<unknown> = valueTypes[row.type].parse;
  return parse(text, row);
}

function valueOf(parsed: Parsed<unknown>): unknown {
  return 'value' in parsed ? parsed.value : undefined;
}

function split({ text, where }: { text: string; where: string }): { text: string; where: string }[] {
  return text.split(',').map((part) => ({ text: part.trim(), where }));
}

function valueText(name: OptionName, options: Options): string {
  const row: OptionRow = optionTable[name];
  const value = (options as Readonly<Record<string, unknown>>)[fieldName(name, row)];
  const format = valueTypes[row.type].format as (value: unknown) => string;
  if (Array.isArray(value)) return value.map(format).join(',');
  return value === undefined ? '' : format(value);
}

function isDefault(name: OptionName, options: Options): boolean {
  return valueText(name, options) === optionTable[name].default;
}

function isSameTarget(a: Target, b: Target): boolean {
  return formatTarget(a) === formatTarget(b);
}

/** A wildcard address takes the port on every address of the machine. */
function isSameListener(a: Address, b: Address): boolean {
  const isWildcard = ({ host }: Address): boolean => host === '0.0.0.0' || host === '::';
  const isSameHost = a.host === b.host || (a.host === 'localhost' && isLoopbackHost(b.host)) || b.host === 'localhost';
  return a.port !== 0 && a.port === b.port && (isSameHost || isWildcard(a) || isWildcard(b));
}

function fieldName(name: string, row: OptionRow): string {
  const camel = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return camel + (row.type === 'duration' ? 'Ms' : row.type === 'size' ? 'Bytes' : '');
}

type FieldName<Name extends OptionName> = `${Camel<Name>}${UnitOf<(typeof optionTable)[Name]['type']>}`;

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;

type UnitOf<Type> = Type extends 'duration' ? 'Ms' : Type extends 'size' ? 'Bytes' : '';

type ValueOf<Row extends OptionRow> = Row extends { values: readonly (infer Choice)[] }
  ? Choice
  : Extract<ReturnType<(typeof valueTypes)[Row['type']]['parse']>, { value: unknown }>['value'];

type FieldValue<Row extends OptionRow> = Row extends { repeatable: true }
  ? readonly ValueOf<Row>[]
  : Row extends { default: null; type: 'path' | 'jwks' | 'state-url' | 'url' | 'headers' | 'sentry-dsn' | 'text' }
    ? ValueOf<Row> | undefined
    : ValueOf<Row>;
