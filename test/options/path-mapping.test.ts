import { expect, test } from 'vitest';
import { resolveOptions } from '../../agent/options.ts';
import { valueTypes } from '../../agent/options/value-types.ts';

test.each([
  ['/app=/mnt/app', { from: '/app', to: '/mnt/app' }],
  ['/app/=mnt', { from: '/app', to: 'mnt' }],
  ['/app/../srv//x=/mnt', { from: '/srv/x', to: '/mnt' }],
  ['/=/', { from: '/', to: '/' }],
])('%s is read', (text, value) => {
  expect(valueTypes['path-mapping'].parse(text)).toEqual({ value });
});

test.each(['', '/app', 'app=/mnt', '/app=', '=/mnt', '/a=b=c', '/a=\0'])('%j is refused', (text) => {
  const problem = "must be FROM=TO, the target's absolute path first: /app=/mnt/app";
  expect(valueTypes['path-mapping'].parse(text)).toEqual({ problem });
});

test('--source-map-path may be given again, and in the environment with commas', async () => {
  const rest = { readFile: () => Promise.reject(new Error('no file')), isTerminal: false };
  const wanted = [
    { from: '/app', to: '/mnt/app' },
    { from: '/lib', to: '/mnt/lib' },
  ];
  const argv = ['--source-map-path', '/app=/mnt/app', '--source-map-path=/lib=/mnt/lib'];
  expect((await resolveOptions({ argv, environment: {}, ...rest })).options.sourceMapPath).toEqual(wanted);
  const environment = { SIDESCOPE_SOURCE_MAP_PATH: '/app=/mnt/app,/lib=/mnt/lib' };
  expect((await resolveOptions({ argv: [], environment, ...rest })).options.sourceMapPath).toEqual(wanted);
});
