import { describe, expect, test } from 'vitest';
import { findSourceMappingUrl } from '../../protocol/source-map/annotation.ts';
import { resolveSource, scriptPathOf } from '../../protocol/source-map/original.ts';

describe('the map that a script names', () => {
  const urlIn = (script: string): string | undefined => {
    const bytes = new TextEncoder().encode(script);
    const span = findSourceMappingUrl(bytes);
    return span && new TextDecoder().decode(bytes.subarray(span.start, span.end));
  };
  const long = `data:application/json;base64,${'A'.repeat(100_000)}`;

  test.each([
    ['on the last line', 'run();\n//# sourceMappingURL=a.js.map', 'a.js.map'],
    ['with lines after it', 'run();\n//# sourceMappingURL=a.js.map\n\n  \n//# debugId=1\r\n', 'a.js.map'],
    ['in the old form', 'run();\n//@ sourceMappingURL=a.js.map\n', 'a.js.map'],
    ['in a block comment', '.a{}\n/*# sourceMappingURL=a.css.map */\n', 'a.css.map'],
    ['in a block comment without a blank', '.a{}\n/*# sourceMappingURL=a.css.map*/', 'a.css.map'],
    ['behind code on one line', 'run();//# sourceMappingURL=a.js.map', 'a.js.map'],
    ['behind much code on one line', `${'run();'.repeat(10_000)}//# sourceMappingURL=a.js.map`, 'a.js.map'],
    ['twice', '//# sourceMappingURL=a.js.map\n//# sourceMappingURL=b.js.map', 'b.js.map'],
    ['inside it', `run();\n//# sourceMappingURL=${long}\n`, long],
    ['with a name beyond ASCII', 'run();\n//# sourceMappingURL=größe.js.map', 'größe.js.map'],
    ['nowhere', 'run();\n// sourceMappingURL=a.js.map\n', undefined],
    ['in the middle only', '//# sourceMappingURL=a.js.map\nrun();\n', undefined],
    ['without a URL', 'run();\n//# sourceMappingURL=\n', undefined],
    ['in no script', '', undefined],
  ])('%s', (_, script, url) => expect(urlIn(script)).toBe(url));
});

test.each([
  ['../src/a.ts', '/app/dist/a.js.map', '/app/dist/a.js', '/app/src/a.ts'],
  ['../src/a.ts', '/app/dist/a.js.map', 'file:///app/dist/a.js', 'file:///app/src/a.ts'],
  ['../../../../a.ts', '/app/dist/a.js.map', '/app/dist/a.js', '/a.ts'],
  ['/home/ci/a.ts', '/app/a.js.map', '/app/a.js', '/home/ci/a.ts'],
  ['file:///home/ci/a b.ts', '/app/a.js.map', '/app/a.js', '/home/ci/a b.ts'],
  ['a b%20c.ts', '/my app/100%/a.js', '/my app/100%/a.js', '/my app/100%/a b c.ts'],
  ['a.ts', '/my app/a.js', 'file:///my%20app/a.js', 'file:///my%20app/a.ts'],
  ['webpack://shop/./src/a.ts', '/app/a.js.map', '/app/a.js', 'webpack://shop/src/a.ts'],
  ['webpack:///./src/a.ts?1f2e', '/app/a.js.map', '/app/a.js', 'webpack:///src/a.ts?1f2e'],
])('the source %s of %s for %s is %s', (source, ...[mapPath = '', scriptUrl = '', resolved]) => {
  expect(resolveSource(source, { mapPath, scriptUrl })).toBe(resolved);
});

test.each([
  ['/app/a.js', '/app/a.js'],
  ['file:///app/a%20b.mjs?v=1#x', '/app/a b.mjs'],
  ['file://host/app/a.js', undefined],
  ['file:///%zz', undefined],
  ['node:fs', undefined],
  ['evalmachine.<anonymous>', undefined],
  ['wasm://wasm/1', undefined],
  ['https://example.com/a.js', undefined],
  ['data:text/javascript,1', undefined],
  ['', undefined],
])('the script %j is the file %j', (url, path) => {
  expect(scriptPathOf(url)).toBe(path);
});
