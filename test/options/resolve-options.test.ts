import { describe, expect, test } from 'vitest';
import { describeOptions, optionTable, resolveOptions } from '../../agent/options.ts';
import { environmentName, readArguments, readEnvironment } from '../../agent/options/sources.ts';
import type { ResolvedOptions } from '../../agent/options.ts';

interface Given {
  readonly argv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly file?: string;
  readonly isTerminal?: boolean;
}

async function resolve({ argv = [], environment = {}, file, isTerminal = false }: Given): Promise<ResolvedOptions> {
  const readFile = async (): Promise<string> => file ?? '';
  return resolveOptions({
    argv: file === undefined ? argv : [...argv, '--config', 'sidescope.yaml'],
    environment,
    readFile,
    isTerminal,
  });
}

async function messages(given: Given): Promise<string[]> {
  return (await resolve(given)).problems.map(({ severity, message }) => `${severity}: ${message}`);
}

describe('without anything given', () => {
  test('every option has its default and nothing is reported', async () => {
    const { options, sources, problems } = await resolve({});
    expect(options).toEqual({
      otlpAddress: { host: '127.0.0.1', port: 4318 },
      otlpPath: '',
      otlpBodyLimitBytes: 20 * 2 ** 20,
      otlpForward: undefined,
      otlpForwardTraces: undefined,
      otlpForwardHeaders: undefined,
      spanReadingRate: 20,
      flightRecorder: false,
      heapAnalysis: false,
      otlpForwardQueueBytes: 32 * 2 ** 20,
      target: [{ host: '127.0.0.1', port: 9229 }],
      inspectorLifetime: 'always',
      dataDir: './.sidescope',
      diskBudgetBytes: 2 * 2 ** 30,
      egressUrl: [],
      regressionCpu: 0.5,
      regressionIntervalMs: 60_000,
      regressionMemory: 0.3,
      regressionSeries: [],
      stateUrl: undefined,
      retentionCount: 200,
      retentionAgeMs: 7 * 86_400_000,
      adminAddress: { host: '127.0.0.1', port: 7777 },
      opsAddress: { host: '0.0.0.0', port: 7778 },
      allowedHosts: [],
      tokenFile: undefined,
      vitalsIntervalMs: 5_000,
      stallThresholdMs: 1_000,
      stallIntervalMs: 500,
      memoryIntervalMs: 60_000,
      memoryThreshold: 0.9,
      metricsUrl: undefined,
      metricsIntervalMs: 60_000,
      metricsTokenFile: undefined,
      metricsCaFile: undefined,
      livenessBudgetMs: 20_000,
      captureConcurrency: 1,
      captureQueue: 4,
      sourceLines: true,
      sourceMapPath: [],
      serviceName: undefined,
      serviceVersion: undefined,
      sentryDsn: undefined,
      sentryEnvironment: undefined,
      sentryRelease: undefined,
      webhookUrl: undefined,
      webhookSecretFile: undefined,
      telemetryEndpoint: undefined,
      config: undefined,
      strict: false,
      ttlMs: 0,
      logLevel: 'info',
      help: false,
      version: false,
      jwks: undefined,
      jwksCaFile: undefined,
      jwksTokenFile: undefined,
      jwtAudience: [],
      jwtIssuer: undefined,
      jwtRole: [{ role: 'admin', scopes: ['admin'] }],
      jwtRoleClaim: 'roles',
    });
    expect(new Set(Object.values(sources))).toEqual(new Set(['default']));
    expect(problems).toEqual([]);
  });

  test('strict is on with a terminal', async () => {
    expect((await resolve({ isTerminal: true })).options.strict).toBe(true);
    expect((await resolve({ isTerminal: true, argv: ['--no-strict'] })).options.strict).toBe(false);
  });
});

test('a token for a metrics page that is not named is told', async () => {
  const { options, problems } = await resolve({ argv: ['--metrics-token-file', '/run/token'] });
  expect(problems.map(({ message }) => message)).toEqual([
    'metrics-token-file is set and metrics-url is not; no page is read',
  ]);
  expect(options.metricsTokenFile).toBeUndefined();
  const paired = await resolve({ argv: ['--metrics-token-file', '/run/token', '--metrics-url', 'http://127.0.0.1/m'] });
  expect(paired.problems).toEqual([]);
});

describe('one value, well written', () => {
  test.for<[string[], keyof ResolvedOptions['options'], unknown]>([
    [
      ['--target', 'api:9229', '--target=[::1]:9230'],
      'target',
      [
        { host: 'api', port: 9229 },
        { host: '::1', port: 9230 },
      ],
    ],
    [
      ['--target', 'a:1,b:2'],
      'target',
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    ],
    [['--data-dir=/var/lib/a=b'], 'dataDir', '/var/lib/a=b'],
    [['--disk-budget', '512MiB'], 'diskBudgetBytes', 512 * 2 ** 20],
    [['--disk-budget', '1.5 GB'], 'diskBudgetBytes', 1.5e9],
    [['--retention-age', '0'], 'retentionAgeMs', 0],
    [['--retention-age', '36h'], 'retentionAgeMs', 36 * 3_600_000],
    [['--retention-count', '0'], 'retentionCount', 0],
    [['--liveness-budget', '1500ms'], 'livenessBudgetMs', 1500],
    [['--liveness-budget', '0s'], 'livenessBudgetMs', 0],
    [['--capture-queue=0'], 'captureQueue', 0],
    [['--span-reading-rate=0'], 'spanReadingRate', 0],
    [['--admin-address', 'localhost:0'], 'adminAddress', { host: 'localhost', port: 0 }],
    [['--admin-address', '[::1]:8000'], 'adminAddress', { host: '::1', port: 8000 }],
    [['--ops-address', 'off'], 'opsAddress', 'off'],
    [['--ops-address', '[::]:9000'], 'opsAddress', { host: '::', port: 9000 }],
    [['--allowed-hosts', 'A.example.com, b', '--allowed-hosts', 'c'], 'allowedHosts', ['a.example.com', 'b', 'c']],
    [['--allowed-hosts', '::2,[FD00::1],my_host'], 'allowedHosts', ['[::2]', '[fd00::1]', 'my_host']],
    [['--log-level', 'debug'], 'logLevel', 'debug'],
    [['--strict'], 'strict', true],
    [['--strict=false'], 'strict', false],
    [['-h'], 'help', true],
    [['-v'], 'version', true],
  ])('%j', async ([argv, field, expected]) => {
    const { options, problems } = await resolve({ argv });
    expect(problems).toEqual([]);
    expect(options[field]).toEqual(expected);
  });
});

describe('a wrong value is named with what was seen and what is used instead', () => {
  const duration = '(ms, s, m, h, d), such as 30s, 5m or 7d';
  const size = '(B, kB, MB, GB, TB, KiB, MiB, GiB, TiB), such as 512MiB or 2GiB';
  test.for<[string[], string]>([
    [['--liveness-budget', '20'], `--liveness-budget "20" needs a unit ${duration}; using the default (20s)`],
    [['--liveness-budget', '-1s'], `"-1s" must be a number with a unit ${duration}`],
    [['--liveness-budget', '1e9s'], '"1e9s" must be a number with a unit'],
    [['--liveness-budget', '2h'], '"2h" must be at most 1h'],
    [['--liveness-budget', '5 parsecs'], '"5 parsecs" must be a number with a unit'],
    [['--retention-age', '5s'], '"5s" must be at least 1m; using the default (7d)'],
    [['--disk-budget', '2'], `"2" needs a unit ${size}; using the default (2GiB)`],
    [['--disk-budget', '0'], '"0" must be at least 1MiB'],
    [['--disk-budget', '2gib'], `"2gib" must be a number with a unit ${size}`],
    [['--retention-count', '1.5'], '"1.5" must be a whole number'],
    [['--retention-count', '-1'], '"-1" must be a whole number'],
    [['--capture-concurrency', '0'], '"0" must be at least 1'],
    [['--capture-concurrency', '99'], '"99" must be at most 8'],
    [['--log-level', 'loud'], '"loud" must be one of trace, debug, info, warn, error, fatal, silent'],
    [['--strict=maybe'], '"maybe" must be true or false; using the default (on with a terminal, else off)'],
    [['--data-dir', ''], '"" must be a path'],
    [['--token-file', 'a\0b'], '"a\\u0000b" must be a path; using the default (none)'],
    [['--target', '9229'], '"9229" must be host:port, such as 127.0.0.1:9229'],
    [['--target', 'http://localhost:9229'], '"http://localhost:9229" must be host:port'],
    [['--target', 'localhost:0'], '"localhost:0" needs a port between 1 and 65535'],
    [['--target', 'localhost:65536'], '"localhost:65536" needs a port of at most 65535'],
    [['--target', '::1:9229'], '"::1:9229" must be host:port'],
    [['--target', '[localhost]:9229'], '"[localhost]:9229" has no IPv6 address between its brackets'],
    [['--target', 'pid:0'], '"pid:0" must have a number behind pid:, such as pid:4242'],
    [['--target', 'pid:x'], '"pid:x" must have a number behind pid:'],
    [['--target', 'a:1,,b:2'], '"" must be host:port'],
    [['--allowed-hosts', '*'], '"*" must be a host name without scheme, port or wildcard'],
    [['--allowed-hosts', 'example.com:80'], '"example.com:80" must be a host name'],
  ])('%j', async ([argv, expected]) => {
    const { options, problems } = await resolve({ argv });
    expect(problems).toHaveLength(1);
    expect(problems[0]?.severity).toBe('error');
    expect(problems[0]?.message).toContain(expected);
    expect(options).toEqual((await resolve({})).options);
  });
});

describe('an argument that is no option', () => {
  test.for<[string[], string[]]>([
    [['--taget', 'a:1'], ['error: unknown option "--taget"; did you mean --target?']],
    [['--dataDir=/x'], ['error: unknown option "--dataDir"; did you mean --data-dir?']],
    [['--data_dir', '/x'], ['error: unknown option "--data_dir"; did you mean --data-dir?']],
    [['--budget', '1GiB'], ['error: unknown option "--budget"; did you mean --disk-budget?']],
    [['--zzz'], ['error: unknown option "--zzz"']],
    [['--__proto__', 'x'], ['error: unknown option "--__proto__"']],
    [['--constructor=x'], ['error: unknown option "--constructor"']],
    [['--no-data-dir'], ['error: unknown option "--no-data-dir"; did you mean --data-dir?']],
    [['-x'], ['error: unknown option "-x"']],
    [['--'], ['error: "--" has no meaning here']],
    [['-'], ['error: "-" has no meaning here']],
    [['9229'], ['error: unexpected argument "9229"; a target is named by --target 9229']],
    [['api:9229'], ['error: unexpected argument "api:9229"; a target is named by --target api:9229']],
    [['start'], ['error: unexpected argument "start"']],
    [['--data-dir'], ['error: --data-dir needs a value']],
    [['--data-dir', '--strict'], ['error: --data-dir needs a value']],
    [['--data-dir', 'a', '--data-dir', 'b'], ['error: --data-dir is given more than once']],
    [['--strict', '--no-strict'], ['error: --no-strict is given more than once']],
  ])('%j', async ([argv, expected]) => {
    expect(await messages({ argv })).toEqual(expected);
  });
});

describe('the environment', () => {
  test('sets every option that is not for the command line only', async () => {
    const names = Object.keys(optionTable).map(environmentName);
    const environment = Object.fromEntries(names.map((name) => [name, 'x']));
    const { given, problems } = readEnvironment(environment, optionTable);
    expect([...given.keys()]).toEqual(Object.keys(optionTable).filter((name) => !['help', 'version'].includes(name)));
    expect(problems.map(({ message }) => message)).toEqual([
      'unknown variable "SIDESCOPE_HELP"',
      'unknown variable "SIDESCOPE_VERSION"; did you mean SIDESCOPE_SERVICE_VERSION?',
    ]);
  });

  test('separates several values by commas', async () => {
    const { options } = await resolve({ environment: { SIDESCOPE_TARGET: 'a:1, b:2' } });
    expect(options.target).toEqual([
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ]);
  });

  test('an empty variable is one that is not set', async () => {
    const { sources, problems } = await resolve({ environment: { SIDESCOPE_DATA_DIR: '' } });
    expect(sources['data-dir']).toBe('default');
    expect(problems).toEqual([]);
  });

  test('an unknown variable is a warning with the nearest name', async () => {
    expect(await messages({ environment: { SIDESCOPE_DATADIR: '/x', OTHER: '1' } })).toEqual([
      'warning: unknown variable "SIDESCOPE_DATADIR"; did you mean SIDESCOPE_DATA_DIR?',
    ]);
  });

  test('what Kubernetes sets for a Service named sidescope is not ours, and no option has such a name', async () => {
    const environment = {
      SIDESCOPE_SERVICE_HOST: '10.0.0.1',
      SIDESCOPE_SERVICE_PORT: '7778',
      SIDESCOPE_SERVICE_PORT_PROF_OPS: '7778',
      SIDESCOPE_PORT: 'tcp://10.0.0.1:7778',
      SIDESCOPE_PORT_7778_TCP: 'tcp://10.0.0.1:7778',
      SIDESCOPE_PORT_7778_TCP_ADDR: '10.0.0.1',
      SIDESCOPE_OPS_PORT_7778_TCP_PROTO: 'tcp',
    };
    expect(await messages({ environment })).toEqual([]);
    const taken = Object.keys(optionTable)
      .map(environmentName)
      .filter((name) => /(SERVICE_HOST|PORT)$/.test(name));
    expect(taken).toEqual([]);
  });

  test("another tool's usual name is read after our own", () => {
    const table = { 'sentry-dsn': { ...optionTable['token-file'], alsoFrom: ['SENTRY_DSN'] } };
    const read = (environment: Record<string, string>): unknown =>
      readEnvironment(environment, table).given.get('sentry-dsn');
    expect(read({ SENTRY_DSN: 'theirs' })).toEqual([{ text: 'theirs', where: 'SENTRY_DSN' }]);
    expect(read({ SENTRY_DSN: 'theirs', SIDESCOPE_SENTRY_DSN: 'ours' })).toEqual([
      { text: 'ours', where: 'SIDESCOPE_SENTRY_DSN' },
    ]);
  });
});

describe('order', () => {
  test('flag before environment before file before default', async () => {
    const file = 'data-dir: /file\nretention-count: 3\nlog-level: warn\n';
    const environment = { SIDESCOPE_DATA_DIR: '/environment', SIDESCOPE_RETENTION_COUNT: '2' };
    const { options, sources } = await resolve({ argv: ['--data-dir', '/flag'], environment, file });
    expect([options.dataDir, options.retentionCount, options.logLevel]).toEqual(['/flag', 2, 'warn']);
    expect(sources).toMatchObject({
      'data-dir': 'flag',
      'retention-count': 'environment',
      'log-level': 'file',
      'disk-budget': 'default',
    });
  });

  test('a wrong flag gives the default, not what a weaker source says, and the weaker one is checked too', async () => {
    const { options, sources, problems } = await resolve({
      argv: ['--retention-age', 'soon'],
      environment: { SIDESCOPE_RETENTION_AGE: '2' },
    });
    expect(options.retentionAgeMs).toBe(7 * 86_400_000);
    expect(sources['retention-age']).toBe('default');
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^--retention-age "soon" .*; using the default \(7d\)$/),
      expect.stringMatching(/^SIDESCOPE_RETENTION_AGE "2" needs a unit [^;]*$/),
    ]);
  });
});

describe('options together', () => {
  test('an API outside loopback is refused', async () => {
    for (const address of [
      '0.0.0.0:7777',
      '[::]:7777',
      '10.1.2.3:7777',
      'profiler.example.com:7777',
      '127.evil:7777',
    ]) {
      const { options, sources, problems } = await resolve({ argv: ['--admin-address', address] });
      expect(problems.map(({ message }) => message)).toEqual([
        expect.stringContaining(`admin-address ${address} is not a loopback address`),
      ]);
      expect(options.adminAddress).toEqual({ host: '127.0.0.1', port: 7777 });
      expect(sources['admin-address']).toBe('default');
    }
  });

  test.for<[string, string, boolean]>([
    ['127.0.0.1:7000', '127.0.0.1:7000', true],
    ['127.0.0.1:7000', '0.0.0.0:7000', true],
    ['localhost:7000', '127.0.0.1:7000', true],
    ['[::1]:7000', '[::]:7000', true],
    ['127.0.0.1:7000', '127.0.0.2:7000', false],
    ['127.0.0.1:0', '127.0.0.1:0', false],
    ['127.0.0.1:7000', '0.0.0.0:7001', false],
  ])('listeners %s and %s share a port: %s', async ([admin, ops, shared]) => {
    const { options, problems } = await resolve({ argv: ['--admin-address', admin, '--ops-address', ops] });
    expect(options.opsAddress === 'off').toBe(shared);
    expect(problems.map(({ option }) => option)).toEqual(shared ? ['ops-address'] : []);
  });

  test('a target given twice is used once', async () => {
    const { options, problems, sources } = await resolve({
      argv: ['--target', 'a:1', '--target', 'b:2', '--target', 'a:1'],
    });
    expect(options.target).toHaveLength(2);
    expect(problems.map(({ message }) => message)).toEqual(['target a:1 is given more than once; used once']);
    expect(sources.target).toBe('flag');
  });

  test('more targets than one agent takes are cut', async () => {
    const list = Array.from({ length: 40 }, (_, index) => `h${index}:9229`).join(',');
    const { options, problems } = await resolve({ argv: ['--target', list] });
    expect(options.target).toHaveLength(32);
    expect(problems.map(({ message }) => message)).toEqual([
      '40 targets are more than one agent takes; using the first 32',
    ]);
  });
});

test('a long value is cut in the message', async () => {
  const [message] = await messages({ argv: ['--target', 'x'.repeat(5000)] });
  expect(message).toContain(`--target "${'x'.repeat(100)}…" must be host:port`);
});

test('all problems of all sources are reported at once', async () => {
  const reported = await messages({
    argv: ['--nope', '--admin-address', '0.0.0.0:1', '--target', 'x'],
    environment: { SIDESCOPE_DISK_BUDGET: 'much', SIDESCOPE_TRAGET: 'a:1' },
    file: 'retention-age: 7\nunknown-key: 1\n',
  });
  expect(reported.map((message) => message.replace(/(;| must| needs| is not).*/, ''))).toEqual([
    'error: unknown option "--nope"',
    'warning: unknown variable "SIDESCOPE_TRAGET"',
    'error: sidescope.yaml line 2: unknown option "unknown-key"',
    'error: --target "x"',
    'error: SIDESCOPE_DISK_BUDGET "much"',
    'error: sidescope.yaml line 1: retention-age "7"',
    'error: admin-address 0.0.0.0:1',
  ]);
});

test('what is in force is described as a user would write it', async () => {
  const resolved = await resolve({
    argv: ['--disk-budget', '1536MiB', '--ops-address', '[::]:1', '--retention-age', '90m'],
    environment: { SIDESCOPE_TARGET: 'a:1,b:2' },
  });
  const described = Object.fromEntries(
    describeOptions(resolved).map(({ name, value, source }) => [name, [value, source]]),
  );
  expect(described).toMatchObject({
    'disk-budget': ['1536MiB', 'flag'],
    'ops-address': ['[::]:1', 'flag'],
    'retention-age': ['90m', 'flag'],
    target: ['a:1,b:2', 'environment'],
    'token-file': ['', 'default'],
    'liveness-budget': ['20s', 'default'],
  });
});

test('every row of the table is complete, and its default is a value of its own type', async () => {
  const { options } = await resolve({});
  for (const [name, row] of Object.entries(optionTable)) {
    expect(name, name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(row.meaning, name).toMatch(/^[A-Z].*\.$/);
    if (row.default !== null) {
      const given = readArguments([`--${name}=${row.default}`], optionTable);
      expect(given.problems, name).toEqual([]);
      expect((await resolve({ argv: [`--${name}=${row.default}`] })).options, name).toEqual(options);
    }
  }
});
