import { describe, expect, test } from 'vitest';
import { describeOptions, resolveOptions } from '../../agent/options.ts';

const resolve = (...argv: string[]) =>
  resolveOptions({ argv, environment: {}, readFile: async () => '', isTerminal: false });
const needed = ['--jwt-issuer', 'https://login.example.com/', '--jwt-audience', 'sidescope'];

describe('--jwks', () => {
  test.each([
    'jwks.json',
    '/etc/keys/jwks.json',
    'https://login.example.com/.well-known/jwks.json',
    'http://127.0.0.1:3000/jwks',
    'http://localhost/jwks',
    'http://[::1]:3000/jwks',
  ])('%s is a place', async (text) => {
    const { options, problems } = await resolve('--jwks', text, ...needed);
    expect(problems).toEqual([]);
    const place = options.jwks ?? { path: '' };
    expect('path' in place ? place.path : place.url.href).toBe(text);
  });

  test.each([
    ['http://login.example.com/jwks', 'must be https, or an address of this machine'],
    ['http://127.0.0.1.example.com/jwks', 'must be https'],
    ['http://10.0.0.5/jwks', 'must be https'],
    ['ftp://login.example.com/jwks', 'must be a path, or an https address'],
    ['https://', 'must be a path, or an https address'],
    ['https://user:secret@login.example.com/', 'must have no user, password'],
    [' ', 'must be a path'],
  ])('%s is none', async (text, problem) => {
    const { options, problems } = await resolve('--jwks', text);
    expect(options.jwks).toBeUndefined();
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining(problem)]);
  });

  test.each([
    ['no audience', ['--jwt-issuer', 'a']],
    ['no issuer', ['--jwt-audience', 'a']],
    ['neither', []],
  ])('with %s is refused, as it would let in tokens that were made for others', async (_name, args) => {
    const { options, problems } = await resolve('--jwks', 'jwks.json', ...args);
    expect(options.jwks).toBeUndefined();
    expect(problems).toMatchObject([{ severity: 'error', option: 'jwks' }]);
    expect(problems[0]?.message).toContain('without jwt-issuer and jwt-audience');
  });

  test.each([
    ['--jwt-issuer', 'a'],
    ['--jwt-audience', 'a'],
    ['--jwks-ca-file', 'a'],
    ['--jwks-token-file', 'a'],
  ])('%s without it is said', async (...args) => {
    const { problems } = await resolve(...args);
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('jwks is not set, and')]);
  });

  test('is shown without its query', async () => {
    const resolved = await resolve('--jwks', 'https://login.example.com/jwks?key=secret', ...needed);
    const shown = describeOptions(resolved).find(({ name }) => name === 'jwks');
    expect(shown?.value).toBe('https://login.example.com/jwks');
  });
});

describe('--jwt-role', () => {
  test('maps roles to scopes; without it the role admin may do everything', async () => {
    const { options } = await resolve('--jwt-role', 'profiling:admin=admin, on=call=capture+view');
    expect(options.jwtRole).toEqual([
      { role: 'profiling:admin', scopes: ['admin'] },
      { role: 'on=call', scopes: ['view', 'capture'] },
    ]);
    expect((await resolve()).options.jwtRole).toEqual([{ role: 'admin', scopes: ['admin'] }]);
  });

  test.each(['admin', 'admin=', '=admin', 'admin=root', 'admin=view+', 'admin=view+root', 'admin=VIEW'])(
    '%s is none',
    async (text) => {
      const { options, problems } = await resolve('--jwt-role', text);
      expect(options.jwtRole).toEqual([{ role: 'admin', scopes: ['admin'] }]);
      expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('must be ROLE=SCOPE')]);
    },
  );
});
