import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { resolveOptions } from '../../agent/options.ts';
import type { ResolvedOptions } from '../../agent/options.ts';
import { readSmallFile } from '../../agent/options/config-file.ts';

async function fileWith(content: string | Uint8Array): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-options-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, 'sidescope.yaml');
  await writeFile(path, content);
  return path;
}

async function resolve(path: string): Promise<ResolvedOptions> {
  return resolveOptions({ argv: ['--config', path], environment: {}, readFile: readSmallFile, isTerminal: false });
}

/** Without the file's own path, which differs in every run. */
async function problems(content: string | Uint8Array): Promise<string[]> {
  const path = await fileWith(content);
  return (await resolve(path)).problems.map(({ message }) => message.replaceAll(path, 'FILE'));
}

test('YAML with lists, numbers, booleans, comments and quotes', async () => {
  const { options, problems: found } = await resolve(
    await fileWith(
      [
        '# beside the shop',
        'target: [shop:9229, "worker:9230"]',
        'retention-count: 50 # few',
        'strict: true',
        'ops-address: off',
        'liveness-budget: 0',
        "data-dir: '/data'",
        'allowed-hosts:',
        '  - a.example.com',
        '  - b.example.com',
        'token-file:',
      ].join('\n'),
    ),
  );
  expect(found).toEqual([]);
  expect(options).toMatchObject({
    target: [
      { host: 'shop', port: 9229 },
      { host: 'worker', port: 9230 },
    ],
    retentionCount: 50,
    strict: true,
    opsAddress: 'off',
    livenessBudgetMs: 0,
    dataDir: '/data',
    allowedHosts: ['a.example.com', 'b.example.com'],
    tokenFile: undefined,
  });
});

test('JSON is YAML', async () => {
  const { options, problems: found } = await resolve(
    await fileWith('{\n\t"data-dir": "/json",\n\t"strict": false\n}\n'),
  );
  expect(found).toEqual([]);
  expect(options).toMatchObject({ dataDir: '/json', strict: false });
});

test('an empty file sets nothing', async () => {
  expect(await problems('')).toEqual([]);
  expect(await problems('# only a comment\n')).toEqual([]);
});

describe('what is wrong is named with its line', () => {
  test.for<[string, (string | RegExp)[]]>([
    ['\ndata-dri: /x\n', ['FILE line 2: unknown option "data-dri"; did you mean data-dir?']],
    ['--data-dir: /x\n', [/^FILE line 1: unknown option "--data-dir"/]],
    ['dataDir: /x\n', ['FILE line 1: unknown option "dataDir"; did you mean data-dir?']],
    ['config: other.yaml\n', ['FILE line 1: unknown option "config"']],
    ['help: true\n', ['FILE line 1: unknown option "help"']],
    ['__proto__: 1\n', ['FILE line 1: unknown option "__proto__"']],
    ['data-dir: /a\n\ndata-dir: /b\n', [/^FILE line 3: .*unique/]],
    ['data-dir: [/a, /b]\n', ['FILE line 1: data-dir is given more than once']],
    ['retention-age: 7\n', [/^FILE line 1: retention-age "7" needs a unit .*; using the default \(7d\)$/]],
    ['retention-count: 0x10\n', [/^FILE line 1: retention-count "0x10" must be a whole number/]],
    ['data-dir:\n  path: /x\n', ['FILE line 1: data-dir must be a plain value']],
    ['target: &t a:1\nallowed-hosts: *t\n', ['FILE line 2: allowed-hosts must be a plain value']],
    ['- a\n- b\n', ['FILE line 1: must be a list of `option: value`']],
    ['just text', ['FILE line 1: must be a list of `option: value`']],
    ['data-dir: "/x\n', [/^FILE line \d: .*/]],
    ['data-dir: [/a\nb: 3', [/^FILE line 2: .*must be sufficiently indented/]],
  ])('%j', async ([content, expected]) => {
    expect(await problems(content)).toEqual(
      expected.map((one) => (typeof one === 'string' ? one : (expect.stringMatching(one) as string))),
    );
  });
});

test('a file that cannot be read is one problem, and the agent has its defaults', async () => {
  const missing = await resolve('/nonexistent/sidescope.yaml');
  expect(missing.problems.map(({ option, message }) => [option, message])).toEqual([
    ['config', expect.stringMatching(/^cannot read "\/nonexistent\/sidescope.yaml": ENOENT/)],
  ]);
  expect(missing.options.dataDir).toBe('./.sidescope');
  expect((await resolve('/')).problems[0]?.message).toMatch(/EISDIR/);
});

test('a file that is too large, without an end, or not text is refused', async () => {
  expect(await problems(`# ${'x'.repeat(65_536)}`)).toEqual(['cannot read "FILE": the file is over 65536 bytes']);
  expect((await resolve('/dev/zero')).problems[0]?.message).toBe(
    'cannot read "/dev/zero": the file is over 65536 bytes',
  );
  expect((await problems(Uint8Array.of(0xff, 0xfe, 0x00)))[0]).toMatch(/^cannot read "FILE": /);
});
