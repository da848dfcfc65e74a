import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments, parseDocument } from 'yaml';
import { helmTemplate } from '../../.tools/chart.ts';
import type { Command } from '../../agent/cli/command.ts';
import { commands, isCommand } from '../../agent/cli/commands.ts';
import { deploymentObjects, startFleet } from '../cli/fleet/fleet.ts';
import type { Fleet } from '../cli/fleet/fleet.ts';
import { list } from '../deploy/render.ts';
import type { JsonObject } from '../deploy/render.ts';
import { schemaProblems } from '../deploy/schema.ts';

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const section = /^## Fleets\n([^]*?)^## /m.exec(readme)?.[1] ?? '';
/** Of the parts that are about pods and platforms; what is said of egress has its own test. */
const parts = ['Over kubectl', 'For platforms'].map(
  (name) => new RegExp(`^### ${name}\n([^]*?)(?=^### |$(?![^]))`, 'm').exec(section)?.[1] ?? '',
);
const lines = parts.flatMap((part) =>
  [...part.matchAll(/^```sh\n([^]*?)^```/gm)].flatMap(([, block = '']) => block.trim().split('\n')),
);

let fleet: Fleet;
const folder = mkdtempSync(join(tmpdir(), 'sidescope-readme-'));
beforeAll(async () => {
  const sets = [
    { hash: 'aaa111', tag: '1.0.0', replicas: 1 },
    { hash: 'bbb222', tag: '1.1.0', replicas: 1 },
  ];
  fleet = await startFleet({ 'shop-a': sets[0]!, 'shop-b': sets[1]! }, deploymentObjects(sets));
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test('the parts have their commands', () => {
  expect(lines.length).toBeGreaterThanOrEqual(8);
});

test.each(lines)('%s', async (line) => {
  const [program = '', ...args] = line.split(/ +/);
  if (program === 'sidescope') await runSidescope(args);
  else if (program === 'helm') expect(renderAsInstalled(args)).toBeGreaterThan(1);
  else if (program === 'kubectl') expect(existsSync(join(root, appliedPath(args)))).toBe(true);
  else throw new Error(`nothing here runs ${program}: name it among what needs a cluster`);
});

/** As it stands there, but for a second of sampling instead of thirty, and a file that goes away again. */
async function runSidescope([name = '', ...args]: readonly string[]): Promise<void> {
  if (!isCommand(name)) throw new Error(`there is no command ${name}`);
  const quick = args.map((word, index) => {
    if (args[index - 1] === '--duration') return '1s';
    return args[index - 1] === '-o' ? join(folder, word) : word;
  });
  if (name === 'compare') quick.push('--duration', '1s');
  if (name === 'capture') quick.push('--jitter', '0s');
  const command: Command = await commands[name].load();
  const { code, printed } = await fleet.run(command, quick);
  expect({ code, printed }).toEqual({ code: 0, printed: expect.stringContaining('shop-') as string });
}

/** `helm install NAME CHART …` without a cluster. */
function renderAsInstalled([verb, , chart = '', ...args]: readonly string[]): number {
  expect(verb).toBe('install');
  const flags = args.filter((word, index) => word.startsWith('--set') || args[index - 1] === '--set');
  return parseAllDocuments(helmTemplate(join(root, chart), flags)).length;
}

/** What is in these files test/deploy holds to Kubernetes' types. */
function appliedPath([verb, flag, path = '']: readonly string[]): string {
  expect([verb, ['-f', '-k'].includes(flag ?? '')]).toEqual(['apply', true]);
  return flag === '-k' ? join(path, 'kustomization.yaml') : path;
}

test('the role of deploy/fleet has the rights that kubectl has asked for in all that, and the README names it', async () => {
  const role = parseDocument(readFileSync(join(root, 'deploy/fleet/role.yaml'), 'utf8')).toJS() as JsonObject;
  expect(await schemaProblems(role)).toEqual([]);
  expect(parts[0]).toContain('deploy/fleet/role.yaml');
  const allowed = new Set(
    list(role['rules']).flatMap(({ resources, verbs }) =>
      (resources as string[]).flatMap((resource) => (verbs as string[]).map((verb) => `${verb} ${resource}`)),
    ),
  );
  const needed = fleet.cluster.requests.flatMap((line) => {
    const [, method = '', resource = '', name, verb] =
      /^(\w+) \S+\/namespaces\/shop\/(\w+)(?:\/([\w-]+))?(?:\/(\w+))?/.exec(line) ?? [];
    if (resource === '') return [];
    const verbs = { POST: 'create', GET: name === undefined ? 'list' : 'get' }[method] ?? method;
    return [`${verbs} ${resource}${verb === undefined ? '' : `/${verb}`}`];
  });
  expect(needed).toContain('create pods/portforward');
  expect([...new Set(needed)].filter((right) => !allowed.has(right))).toEqual([]);
});

test('what is not run is named', () => {
  for (const words of ['What needs a cluster is not run', '`kubectl apply`', 'Grafana', 'images of `deploy/fleet`'])
    expect(section).toContain(words);
  expect(section).toContain('(13 rules)');
  const rules = readFileSync(join(root, 'deploy/helm/sidescope/files/alerts.yaml'), 'utf8');
  expect(rules.match(/- alert:/g)).toHaveLength(13);
});
