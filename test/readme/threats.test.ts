import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const section = /^### Threats\n([^]*?)^## /m.exec(readme)?.[1] ?? '';
const rows = [...section.matchAll(/^\| (\d+) \| (.+?) \| (.+?) \| (.+) \|$/gm)].map(
  ([, number, threat, , tests = '']) => ({
    number: Number(number),
    threat: threat ?? '',
    tests: [...tests.matchAll(/`(test\/[\w./-]+\.test\.ts)` "([^"]+)"/g)].map(([, file = '', title = '']) => ({
      file,
      title,
    })),
    rest: tests.replaceAll(/`test\/[\w./-]+\.test\.ts` "[^"]+"(?:; )?/g, ''),
  }),
);

test('the table of threats has all twenty-five, each with a test', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
  expect(rows.filter(({ tests, rest }) => tests.length === 0 || rest !== '')).toEqual([]);
});

test.each(rows)('$number: the tests that it names are there', ({ tests }) => {
  const missing = tests.filter(({ file, title }) => {
    const text = readFileSync(join(root, file), 'utf8');
    return ![`'${title}'`, `"${title}"`, `\`${title}\``].some((quoted) => text.includes(quoted));
  });
  expect(missing).toEqual([]);
});
