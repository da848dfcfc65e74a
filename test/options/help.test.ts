import { expect, test } from 'vitest';
import { helpText, optionTableMarkdown } from '../../agent/cli/help.ts';
import { optionTable } from '../../agent/options.ts';
import { nearestName } from '../../agent/options/nearest-name.ts';

test('help fits 100 columns and opens with two examples', () => {
  const lines = helpText().split('\n');
  expect(lines.filter((line) => line.length > 100)).toEqual([]);
  expect(lines.slice(2, 4)).toEqual([
    '  sidescope --target 127.0.0.1:9229',
    '  sidescope --target api:9229 --target worker:9230 --data-dir /data --disk-budget 1GiB',
  ]);
});

test('help and table name every option once', () => {
  const help = helpText();
  const table = optionTableMarkdown();
  for (const name of Object.keys(optionTable)) {
    expect(
      help.split('\n').filter((line) => new RegExp(`^  (-\\w, )?--(\\[no-\\])?${name}( |$)`).test(line)),
    ).toHaveLength(1);
    expect(table.split('\n').filter((line) => new RegExp(`^\\| \`--(\\[no-\\])?${name}[ \`]`).test(line))).toHaveLength(
      1,
    );
  }
});

test('an option is shown with its syntax, default, meaning of zero and environment name', () => {
  expect(helpText()).toContain(
    '  --retention-age DURATION\n      How long profiles are kept. 0: no limit by age. [default: 7d]\n',
  );
  expect(optionTableMarkdown()).toContain(
    '| `--retention-age DURATION` | `7d` | `SIDESCOPE_RETENTION_AGE` | How long profiles are kept. 0: no limit by age. |',
  );
});

test.for<[string, string | undefined]>([
  ['taget', 'target'],
  ['tragets', 'target'],
  ['DATA_DIR', 'data-dir'],
  ['retentionCount', 'retention-count'],
  ['age', undefined],
  ['x', undefined],
  ['', undefined],
  ['completely-different', undefined],
])('the name nearest to %s is %s', ([unknown, expected]) => {
  expect(nearestName(unknown, Object.keys(optionTable))).toBe(expected);
});

test('a very long name is compared no further than any option is long', () => {
  expect(nearestName('data-dir'.repeat(100_000), Object.keys(optionTable))).toBeUndefined();
});
