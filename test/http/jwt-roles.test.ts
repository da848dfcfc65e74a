import { describe, expect, test } from 'vitest';
import { rolesOf, scopesOfClaims } from '../../agent/http/jwt-roles.ts';
import { Turns } from '../../agent/turns.ts';

describe('the roles of a token', () => {
  test.for<[string, Record<string, unknown>, string, string[]]>([
    ['a list', { roles: ['a', 'b', 7, null] }, 'roles', ['a', 'b']],
    ['one text', { role: 'profiling:admin' }, 'role', ['profiling:admin']],
    ['Keycloak', { realm_access: { roles: ['admin'] } }, 'realm_access.roles', ['admin']],
    ['Auth0', { 'https://example.com/roles': ['admin'] }, 'https://example.com/roles', ['admin']],
    ['Kubernetes', { sub: 'system:serviceaccount:ops:profiler' }, 'sub', ['system:serviceaccount:ops:profiler']],
    ['OAuth scopes', { scope: 'openid profiling:admin' }, 'scope', ['openid', 'profiling:admin']],
    ['Azure scopes', { scp: 'a b' }, 'scp', ['a', 'b']],
    ['a flag', { is_admin: true }, 'is_admin', ['true']],
    ['a flag that is off', { is_admin: false }, 'is_admin', []],
    ['a name with a space and a role in it', { name: 'eve admin' }, 'name', ['eve admin']],
    ['nothing there', {}, 'roles', []],
    ['a path into a text', { a: 'b' }, 'a.length', []],
    ['a path into what every object has', {}, '__proto__.constructor.name', []],
    ['an object', { roles: { admin: true } }, 'roles', []],
  ])('%s', ([, claims, claim, expected]) => expect(rolesOf(claims, claim)).toEqual(expected));

  test('give their scopes together, each once', () => {
    const roles = [
      { role: 'oncall', scopes: ['view', 'capture'] as const },
      { role: 'memory', scopes: ['view', 'heap'] as const },
      { role: 'admin', scopes: ['admin'] as const },
    ];
    expect(scopesOfClaims({ roles: ['memory', 'oncall', 'x'] }, { claim: 'roles', roles })).toEqual([
      'view',
      'capture',
      'heap',
    ]);
    expect(scopesOfClaims({ roles: ['Admin'] }, { claim: 'roles', roles })).toEqual([]);
  });
});

test('turns are given in order, so many at once, and refused when too many wait', async () => {
  const turns = new Turns({ concurrency: 2, waitingMax: 2 });
  const begun: number[] = [];
  const held = [0, 1, 2, 3].map((index) => {
    const turn = turns.take();
    void turn?.ready.then(() => begun.push(index));
    return turn;
  });
  expect(turns.take()).toBeUndefined();
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  held[1]?.[Symbol.dispose]();
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2]);
  const late = turns.take();
  for (const turn of [held[0], held[2], held[3], late]) {
    await turn?.ready;
    turn?.[Symbol.dispose]();
  }
  expect(begun).toEqual([0, 1, 2, 3]);
  expect(turns.take()).toBeDefined();
});
