import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { renderReadme } from '../../.tools/readme.ts';

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('the tables in README.md are what the code says', () => {
  expect(renderReadme(readme)).toBe(readme);
});

test('a change in a table is noticed', () => {
  expect(renderReadme(readme.replace('| `SIDESCOPE_DATA_DIR` |', '| `SIDESCOPE_DATADIR` |'))).toBe(readme);
});

test('a block without a place, or not closed, is an error', () => {
  expect(() => renderReadme('')).toThrow('README.md has no place for: options, codes, routes');
  expect(() => renderReadme(readme.replace('<!-- codes:end -->', ''))).toThrow('the block codes is unknown or open');
  expect(() => renderReadme(`${readme}<!-- other:begin --><!-- other:end -->`)).toThrow('the block other is unknown');
});

describe('what a README names is there', () => {
  const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> })
    .scripts;
  test.for([
    'README.md',
    ...['agent', 'protocol', 'dashboard', 'test', 'deploy'].map((folder) => `${folder}/README.md`),
  ])('%s', (file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const named = [...text.matchAll(/npm run (\w+)/g)].map(([, script]) => script ?? '');
    expect(named.filter((script) => scripts[script] === undefined)).toEqual([]);
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link ?? '');
    const paths = [...text.matchAll(/`((?:agent|protocol|dashboard|test|\.tools|deploy)\/[\w./-]*)`/g)].map(
      ([, path]) => join(root, path ?? ''),
    );
    const missing = [...links.map((link) => join(root, dirname(file), link)), ...paths].filter(
      (path) => !existsSync(path),
    );
    expect(missing).toEqual([]);
  });
});
