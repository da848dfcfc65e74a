import fs from 'node:fs';
import os from 'node:os';
import http from 'node:http';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAdminServer } from '../../agent/http/admin-server.ts';
import { createAdminApp } from '../../agent/http/app.ts';
import { problemKinds } from '../../protocol/rest/problem.ts';
import { apiPath, routes } from '../../protocol/rest/routes.ts';
import type { Route } from '../../protocol/rest/route.ts';
import { fakeServices } from './fakes.ts';

let directory: string;
beforeAll(() => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'page-test-'));
  directory = path.join(root, 'page');
  fs.mkdirSync(path.join(directory, 'assets'), { recursive: true });
  fs.mkdirSync(path.join(directory, 'speedscope'));
  fs.writeFileSync(path.join(directory, 'index.html'), '<!doctype html><title>page</title>');
  fs.writeFileSync(path.join(directory, 'assets/main-abc123.js'), 'script');
  fs.writeFileSync(path.join(directory, 'assets/main-abc123.js.gz'), gzipSync('script'));
  fs.writeFileSync(path.join(directory, 'speedscope/index.html'), 'speedscope');
  fs.writeFileSync(path.join(directory, 'speedscope/speedscope-Y2522XSH.js'), 'script');
  fs.writeFileSync(path.join(directory, '.hidden'), 'hidden');
  fs.writeFileSync(path.join(root, 'secret.txt'), 'secret');
});
afterAll(() => fs.rmSync(path.dirname(directory), { recursive: true }));

async function get(route: string, options: { headers?: Record<string, string>; pageDirectory?: string } = {}) {
  const services = await fakeServices({ pageDirectory: options.pageDirectory ?? directory });
  using admin = createAdminApp(services);
  return await admin.app.request(`http://localhost${apiPath}${route}`, { headers: options.headers ?? {} });
}

describe('the page', () => {
  test.each(['/ui', '/ui/', '/ui/index.html', '/ui/profiles/p1', '/ui/deep/er/path'])(
    '%s is its document, under the strict policy, never cached blindly',
    async (route) => {
      const response = await get(route);
      expect([response.status, await response.text()]).toEqual([200, '<!doctype html><title>page</title>']);
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(response.headers.get('cache-control')).toBe('no-cache');
      expect(response.headers.get('content-security-policy')).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
          "connect-src 'self'; worker-src 'self'; require-trusted-types-for 'script'; base-uri 'none'; " +
          "form-action 'none'; frame-ancestors 'none'",
      );
    },
  );

  test('names its files by their content, so they may be kept for ever', async () => {
    for (const file of ['/ui/assets/main-abc123.js', '/ui/speedscope/speedscope-Y2522XSH.js']) {
      const response = await get(file);
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
      expect(await response.text()).toBe('script');
    }
  });

  test('is not sent again to a browser that has it', async () => {
    const etag = (await get('/ui')).headers.get('etag') ?? '';
    const again = await get('/ui', { headers: { 'if-none-match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  test('goes over the wire as the build packed it, to who takes gzip', async () => {
    const services = await fakeServices({ pageDirectory: directory });
    await using server = await openAdminServer(services, { host: '127.0.0.1', port: 0 });
    const ask = async (file: string, headers: http.OutgoingHttpHeaders) => {
      const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
      http.get(`${server.url}${apiPath}/ui/${file}`, { headers, agent: false }, resolve).on('error', reject);
      const response = await promise;
      const { 'content-encoding': coding, etag = '', vary } = response.headers;
      return { status: response.statusCode, bytes: await buffer(response), coding, etag, vary };
    };
    const packed = await ask('assets/main-abc123.js', { 'accept-encoding': 'br, gzip' });
    expect(packed).toMatchObject({ status: 200, coding: 'gzip' });
    expect(packed.vary).toContain('Accept-Encoding');
    expect(gunzipSync(packed.bytes).toString()).toBe('script');
    const plain = await ask('assets/main-abc123.js', { 'accept-encoding': 'gzip;q=0' });
    expect([plain.coding, plain.bytes.toString()]).toEqual([undefined, 'script']);
    expect(plain.etag).not.toBe(packed.etag);
    const again = await ask('assets/main-abc123.js', { 'accept-encoding': 'gzip', 'if-none-match': packed.etag });
    expect([again.status, again.bytes.byteLength]).toEqual([304, 0]);
    expect((await ask('index.html', { 'accept-encoding': 'gzip' })).coding).toBeUndefined();
  });

  test('has a policy of its own for speedscope: inline styles and WebAssembly, still no foreign source', async () => {
    const policy = (await get('/ui/speedscope/index.html')).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("style-src 'self' 'unsafe-inline'");
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toContain('trusted-types');
  });

  test.each([
    '/ui/../secret.txt',
    '/ui/%2e%2e/secret.txt',
    '/ui/..%2fsecret.txt',
    '/ui/assets/..%2f..%2f..%2fsecret.txt',
    '/ui/.hidden',
    '/ui//etc/passwd.txt',
    '/ui/assets/missing.js',
    '/ui/assets%00.js',
    '/ui/a%5cb.txt',
  ])('gives nothing for %s', async (route) => {
    const response = await get(route);
    const text = await response.text();
    expect(text).not.toMatch(/secret$|hidden$/);
    expect([200, 404]).toContain(response.status);
    if (response.status === 200) expect(text).toContain('<title>page</title>');
  });

  test('that was never built says how to build it', async () => {
    const response = await get('/ui', { pageDirectory: '/nonexistent' });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'page-not-built', remedy: 'Run `npm run build`.' });
  });
});

describe('the contract', () => {
  test('names every route with its scope, and every code it may answer with its status', async () => {
    const document = (await (await get('/openapi.json')).json()) as {
      openapi: string;
      paths: Record<
        string,
        Record<string, { operationId: string; 'x-scope': string; responses: object; security?: [] }>
      >;
    };
    expect(document.openapi).toBe('3.1.0');
    for (const [name, route] of Object.entries<Route>(routes)) {
      const found = document.paths[apiPath + route.path.replace(/:(\w+)/g, '{$1}')]?.[route.method.toLowerCase()];
      if (route.hidden) {
        expect(found).toBeUndefined();
        continue;
      }
      expect(found).toMatchObject({ operationId: name, 'x-scope': route.scope });
      const statuses = Object.keys(found?.responses ?? {});
      for (const { status } of route.answers) expect(statuses).toContain(String(status));
      for (const code of route.errors) expect(statuses).toContain(String(problemKinds[code].status));
      expect(found?.security?.length === 0).toBe(route.scope === 'public');
    }
  });

  test('refers only to schemas that it has', async () => {
    const text = await (await get('/openapi.json')).text();
    const { components } = JSON.parse(text) as { components: { schemas: Record<string, unknown> } };
    const references = [...text.matchAll(/"\$ref": "#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect(references.length).toBeGreaterThan(30);
    expect([...new Set(references)].filter((name) => !Object.hasOwn(components.schemas, name ?? ''))).toEqual([]);
    expect(text.match(/"\$ref": "(?!#\/components\/schemas\/)/)).toBeNull();
    expect(text).not.toContain('"$schema"');
  });

  test('is readable as a page without any script, with an anchor for every problem', async () => {
    const response = await get('/ui/docs');
    const html = await response.text();
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri/,
    );
    expect(html).not.toContain('<script');
    for (const code of Object.keys(problemKinds)) expect(html).toContain(`id="problem-${code}"`);
    for (const [, { method, path: route, hidden }] of Object.entries<Route>(routes))
      if (!hidden) expect(html).toContain(`<code>${method} ${route}</code>`);
    expect(html).not.toMatch(/undefined|\[object/);
  });
});
