import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApiDocument } from '../../protocol/rest/openapi.ts';
import type { AlertList } from '../../protocol/rest/alerts.ts';
import type { TargetList } from '../../protocol/rest/lists.ts';
import { apiPath, routes } from '../../protocol/rest/routes.ts';
import type { Route } from '../../protocol/rest/route.ts';
import { openAgent } from '../support/agent.ts';
import type { RunningAgent } from '../support/agent.ts';
import { curl } from '../support/curl.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

// What no other file tests of the table of threats in README.md; the agent is real, and so are the sockets.

const stack = new AsyncDisposableStack();
let agent: RunningAgent;
beforeAll(async () => {
  const exposed = stack.use(await startTarget('forever', { execArgv: ['--inspect=0.0.0.0:0'] }));
  const closed = stack.use(await startTarget('forever'));
  const targets = [`127.0.0.1:${exposed.inspectorPort}`, closed.inspectorAddress];
  agent = stack.use(await openAgent({ targets }));
}, 30_000);
afterAll(() => stack.disposeAsync());

const authorization = () => ({ Authorization: `Bearer ${agent.token}` });
const get = async <Body>(path: string) =>
  JSON.parse((await curl(`${agent.url}${apiPath}${path}`, { headers: authorization() })).body.toString()) as Body;

test('an inspector that everybody can reach is told on the page, by a metric and by an alert; another one is not', async () => {
  const targets = await waitFor(
    async () => {
      const { targets: all } = await get<TargetList>('/targets');
      return all.every(({ state }) => state.state === 'attached') ? all : undefined;
    },
    { message: 'both targets to be attached' },
  );
  const [exposed, closed] = targets;
  expect(exposed?.warnings).toEqual([
    `the inspector at ${exposed?.address} listens beyond loopback: whoever reaches it can run code in the target`,
  ]);
  expect(closed?.warnings).toEqual([]);
  const metrics = (await curl(`${agent.opsUrl}/metrics`)).body.toString();
  expect(metrics).toContain(`sidescope_target_inspector_exposed{target="${exposed?.id}"} 1`);
  expect(metrics).toContain(`sidescope_target_inspector_exposed{target="${closed?.id}"} 0`);
  const { alerts } = await get<AlertList>('/alerts?problem=inspector-exposed');
  expect(alerts).toMatchObject([
    { problem: 'inspector-exposed', severity: 'critical', targetId: exposed?.id, state: 'open' },
  ]);
});

const guarded = Object.values<Route>(routes).filter(({ scope }) => scope !== 'public');

test('on the socket every route but the public ones asks for a credential, and takes none from the address', async () => {
  for (const { method, path } of guarded) {
    const example = path.replace(/:\w+/g, 'x').replace('*', 'x');
    for (const query of ['', `?token=${agent.token}`, `?access_token=${agent.token}`, '?ticket=x']) {
      const { status } = await curl(`${agent.url}${apiPath}${example}${query}`, { method });
      expect([method, path, query, [401, 429].includes(status)]).toEqual([method, path, query, true]);
    }
  }
});

test('a hundred guesses later guessing is refused for a while, and the right token still works', async () => {
  const guess = async () => {
    const headers = { Authorization: 'Bearer sst_wrong' };
    return await curl(`${agent.url}${apiPath}/targets`, { headers });
  };
  for (let count = 0; count < 100; count++) await guess();
  const refused = await waitFor(
    async () => {
      const answer = await guess();
      return answer.status === 429 && answer;
    },
    { message: 'a guess to be refused' },
  );
  expect(refused.headers.get('retry-after')).toBe('1');
  expect((await curl(`${agent.url}${apiPath}/targets`, { headers: authorization() })).status).toBe(200);
});

describe('the API', () => {
  const document = openApiDocument('0.1.0') as { paths: Record<string, Record<string, OpenApiOperation>> };
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));

  test('takes no address, host, path, credential or code of anybody: what it sends goes where the configuration says', () => {
    const names = operations.flatMap(({ parameters = [], requestBody }) => [
      ...parameters.map(({ name }) => name),
      ...propertiesOf(requestBody),
    ]);
    expect(new Set(names).size).toBeGreaterThan(20);
    const suspicious =
      /url|uri|host|address|endpoint|bucket|file|director|secret|password|token|expression|code|script/i;
    expect([...new Set(names)].filter((name) => suspicious.test(name))).toEqual([]);
  });
});

describe('what is installed', () => {
  const root = join(import.meta.dirname, '../..');
  const read = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8')) as Record<string, unknown>;

  test('is named exactly, and every package has its checksum in the lockfile', () => {
    const manifest = read('package.json');
    const named = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
      Object.entries(manifest[kind] as Record<string, string>),
    );
    expect(named.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    for (const file of ['package-lock.json', 'test/kubernetes/package-lock.json']) {
      const { packages } = read(file) as { packages: Record<string, { integrity?: string; link?: boolean }> };
      const installed = Object.entries(packages).filter(([path, { link }]) => path !== '' && link !== true);
      expect(installed.length).toBeGreaterThan(50);
      expect(installed.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true)).toEqual([]);
    }
  });

  test('the image that is released stands on a base by its digest, and is signed', () => {
    const workflow = readFileSync(join(root, '.github/workflows/release.yaml'), 'utf8');
    expect(workflow).toMatch(/cosign verify[^]*\$BASE/);
    expect(workflow).toMatch(/cosign sign/);
  });
});

interface OpenApiOperation {
  readonly parameters?: readonly { readonly name: string }[];
  readonly requestBody?: unknown;
}

/** The names of all properties of a schema, however deep. */
function propertiesOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([name, value]: [string, unknown]) => [
    ...(name === 'properties' ? Object.keys(value as object) : []),
    ...propertiesOf(value),
  ]);
}
