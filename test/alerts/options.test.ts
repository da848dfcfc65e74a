import { expect, test } from 'vitest';
import { describeOptions, resolveOptions } from '../../agent/options.ts';

const resolve = (argv: readonly string[], environment: Record<string, string> = {}) =>
  resolveOptions({ argv, environment, readFile: () => Promise.reject(new Error('no file')), isTerminal: false });

test('the usual names of Sentry and OpenTelemetry are read', async () => {
  const { options, sources, problems } = await resolve([], {
    SENTRY_DSN: 'https://abc@o1.ingest.sentry.io/42',
    SENTRY_ENVIRONMENT: 'staging',
    SENTRY_RELEASE: 'shop@1.2.3',
    OTEL_SERVICE_NAME: 'shop',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
  });
  expect(problems).toEqual([]);
  expect(options).toMatchObject({
    sentryDsn: 'https://abc@o1.ingest.sentry.io/42',
    sentryEnvironment: 'staging',
    sentryRelease: 'shop@1.2.3',
    serviceName: 'shop',
  });
  expect(options.telemetryEndpoint?.href).toBe('http://collector:4318/');
  expect(sources['sentry-dsn']).toBe('environment');
});

test.for<[string, string, string]>([
  ['sentry-dsn', 'sentry.io/42?hunter2', 'must be a DSN as Sentry shows it'],
  ['sentry-dsn', 'https://hunter2@sentry.io/', 'must be a DSN as Sentry shows it'],
  ['webhook-url', 'ftp://hunter2', 'must be an http or https address'],
  ['webhook-url', 'hunter2', 'must be an http or https address'],
  ['telemetry-endpoint', 'hunter2:4318', 'must be an http or https address'],
])('a wrong --%s is a problem that does not show it: %s', async ([name, value, expected]) => {
  const { problems, options } = await resolve([`--${name}`, value]);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatchObject({ severity: 'error', option: name });
  expect(problems[0]?.message).toContain(expected);
  expect(problems[0]?.message).not.toContain('hunter2');
  expect([options.sentryDsn, options.webhookUrl, options.telemetryEndpoint]).toEqual([undefined, undefined, undefined]);
});

test('secrets are hidden where options are shown', async () => {
  const resolved = await resolve([
    ...['--sentry-dsn', 'https://hunter2@sentry.io/42', '--webhook-url', 'https://example.com/hunter2'],
    ...['--telemetry-endpoint', 'https://hunter2@collector/'],
  ]);
  const shown = describeOptions(resolved).filter(({ source }) => source === 'flag');
  expect(shown.map(({ name, value }) => `${name} ${value}`)).toEqual([
    'sentry-dsn (hidden)',
    'webhook-url (hidden)',
    'telemetry-endpoint (hidden)',
  ]);
});

test('a secret for no webhook is a problem', async () => {
  const { problems, options } = await resolve(['--webhook-secret-file', '/secret']);
  expect(problems.map(({ message }) => message)).toEqual([
    'webhook-secret-file is set and webhook-url is not; nothing is posted',
  ]);
  expect(options.webhookSecretFile).toBeUndefined();
});
