import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { learnServices } from '../../agent/requests/learn-services.ts';
import { ServiceIdentity } from '../../agent/service-identity.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { fakeTarget, identity } from '../http/fakes.ts';
import { openHarness } from '../capture/harness.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

/** Not of this machine, so that nothing is read from /proc. */
const elsewhere: Target = { ...fakeTarget(), address: '203.0.113.1:9229' };
const nameless: Target = { ...elsewhere, identity: { ...identity, appName: null, appVersion: null } };

describe('name and version come from', () => {
  test('the options first', () => {
    const identities = new ServiceIdentity({
      environment: { pod: 'cart-7d4b9c6f5d-x2x9z' },
      serviceName: 'shop-eu',
      serviceVersion: '9',
    });
    identities.learn(elsewhere, { name: 'shop-otel', version: '2' });
    expect(identities.identityOf(elsewhere)).toEqual({ name: 'shop-eu', version: '9', source: 'option' });
  });

  test("then the target's spans", () => {
    const identities = new ServiceIdentity({ environment: { pod: 'cart-7d4b9c6f5d-x2x9z' } });
    identities.learn(elsewhere, { name: 'shop-otel' });
    identities.learn(elsewhere, { version: '2' });
    expect(identities.identityOf(elsewhere)).toEqual({ name: 'shop-otel', version: '2', source: 'otel' });
    // Another process at that address is not known by what the one before said.
    const next = { ...elsewhere, identity: { ...identity, instanceId: '43-1' } };
    expect(identities.identityOf(next)).toMatchObject({ name: 'cart', source: 'pod' });
  });

  test.for<[string, string, string | null]>([
    ['cart-7d4b9c6f5d-x2x9z', 'cart', '7d4b9c6f5d'],
    ['my-cart-v2-68f6d9c9b4-lq7wz', 'my-cart-v2', '68f6d9c9b4'],
    ['cart-0', 'shop', '1.0.0'],
    ['cart-worker-extra', 'shop', '1.0.0'],
  ])('then the pod %s: %s, version %s', ([pod, name, version]) => {
    expect(new ServiceIdentity({ environment: { pod } }).identityOf(elsewhere)).toMatchObject({ name, version });
  });

  test('then what npm told the process, and last the name of the target', () => {
    const identities = new ServiceIdentity({ environment: {} });
    expect(identities.identityOf(elsewhere)).toEqual({ name: 'shop', version: '1.0.0', source: 'package' });
    expect(identities.identityOf({ ...nameless, id: 't2', name: 'main.js' })).toEqual({
      name: 'main.js',
      version: null,
      source: 'target',
    });
  });
});

test('spans name the target by its pid, or the only target; what an SDK says by itself is no name', () => {
  const learned: string[] = [];
  const identities = {
    learn: ({ id }: Target, said: object) => void learned.push(`${id} ${JSON.stringify(said)}`),
  };
  const passed: number[] = [];
  const sink = { add: (spans: readonly Span[]) => void passed.push(spans.length) };
  const two = [elsewhere, { ...elsewhere, id: 't2', identity: { ...identity, pid: 43 } }];
  const span = (attributes: object) => ({ resource: { attributes } }) as unknown as Span;
  const batch = { receivedAtMs: 0, bytes: 0 };
  const withTwo = learnServices(sink, { targets: { list: () => two }, identities });
  const named = span({ 'service.name': 'b', 'service.version': '2', 'process.pid': 43 });
  withTwo.add([named, named], batch);
  withTwo.add([span({ 'service.name': 'nobody' }), span({ 'service.name': 'other', 'process.pid': 7 })], batch);
  const withOne = learnServices(sink, { targets: { list: () => [elsewhere] }, identities });
  withOne.add([span({ 'service.name': 'a' }), span({ 'service.name': 'unknown_service:node' })], batch);
  expect(learned).toEqual(['t2 {"name":"b","version":"2"}', 't1 {"name":"a"}', 't1 {}']);
  expect(passed).toEqual([2, 2, 2]);
});

test("a real target's environment and its package.json are read, the nearest one with a name", async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'sidescope-identity-')));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'app/dist'), { recursive: true });
  await writeFile(join(folder, 'app/package.json'), '{"name":"@shops/cart","version":"3.2.1"}');
  await writeFile(join(folder, 'app/dist/package.json'), '{"type":"commonjs"}');
  const program = join(folder, 'app/dist/main.js');
  await writeFile(program, 'process.on("disconnect", () => process.exit()); console.log("ready")');
  const env = {
    OTEL_RESOURCE_ATTRIBUTES: 'team=a,service.version=3.2.1%2Bb7',
    OTEL_SERVICE_NAME: 'cart-eu',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    SECRET: 'no',
  };
  await using plain = await startTarget(program);
  await using named = await startTarget(program, { env });
  await using harness = await openHarness([plain.inspectorAddress, named.inspectorAddress]);
  const attached = await waitFor(
    () => harness.targets.list().every(({ state }) => state.state === 'attached') && harness.targets.list(),
    { message: 'both targets' },
  );
  const identities = new ServiceIdentity({ environment: {} });
  expect(attached.map((target) => identities.identityOf(target))).toEqual([
    { name: '@shops/cart', version: '3.2.1', source: 'package' },
    { name: 'cart-eu', version: '3.2.1+b7', source: 'otel' },
  ]);
  expect(attached.map((target) => identities.samplerOf(target))).toEqual([
    undefined,
    { name: 'parentbased_traceidratio', keptShare: 0.25, isOfOwnTraces: true },
  ]);
});
