import { expect, it } from 'vitest';
import { elsewhere, findView, readAddress, withQuery, writeAddress } from '../../dashboard/model/address.ts';
import { views } from '../../dashboard/views.ts';

it.each([
  ['', '/', {}],
  ['#/', '/', {}],
  ['#/captures', '/captures', {}],
  ['#/captures/', '/captures', {}],
  ['#/profile/p%2F1?target=t1&thread=worker-2', '/profile/p%2F1', { target: 't1', thread: 'worker-2' }],
  ['#/?q=a%26b%3Dc', '/', { q: 'a&b=c' }],
])('reads %j', (fragment, path, query) => {
  expect(readAddress(fragment)).toEqual({ path, query });
});

it.each(['#token=abc', '#targets', `#/${'x'.repeat(9000)}`])(
  'takes no anchor, token or endless text for an address: %.20s',
  (text) => {
    expect(readAddress(text)).toBeUndefined();
  },
);

it('writes what it reads, whatever is in it', () => {
  for (const value of ['a&b=c', '100 %', '\u202Ename', '<b>', '🦊', 'a+b']) {
    const address = { path: `/profile/${encodeURIComponent(value)}`, query: { q: value } };
    expect(readAddress(writeAddress(address))).toEqual(address);
    expect(findView([{ path: '/profile/:id' }], address.path)?.params).toEqual({ id: value });
  }
});

it('keeps what is not named, and removes what is null or empty', () => {
  const from = { path: '/', query: { target: 't1', zoom: '1-2', kind: 'cpu' } };
  expect(withQuery(from, { zoom: null, kind: '', other: 'x' })).toEqual({
    path: '/',
    query: { target: 't1', other: 'x' },
  });
});

it('takes the target and the thread along to another view, and nothing else', () => {
  const from = { path: '/', query: { target: 't1', thread: 'worker-1', zoom: '1-2' } };
  expect(elsewhere(from, '/captures', { kind: 'cpu' })).toEqual({
    path: '/captures',
    query: { target: 't1', thread: 'worker-1', kind: 'cpu' },
  });
  expect(elsewhere(from, '/captures', { target: 't2', thread: null }).query).toEqual({ target: 't2' });
});

it('finds no view for a path that is longer, shorter, or broken in an escape', () => {
  const only = [{ path: '/profile/:id' }];
  for (const path of ['/profile', '/profile/', '/profile/a/b', '/profile/%E0%A4%A', '/other/a']) {
    expect(findView(only, path)).toBeUndefined();
  }
});

it('knows each view by one path, and says what each is about', () => {
  expect(new Set(views.map(({ path }) => path)).size).toBe(views.length);
  for (const view of views) {
    const path = view.path.replaceAll(/:\w+/g, 'x');
    expect(findView(views, path)?.view).toBe(view);
    expect(view.about.length, view.path).toBeGreaterThan(60);
    if (view.below !== undefined) expect(views.map((other) => other.path)).toContain(view.below);
  }
});
