import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { openAdminServer } from '../../agent/http/admin-server.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { launchBrowser } from '../page/browser.ts';
import { waitFor } from '../support/wait-for.ts';
import { fakeServices } from './fakes.ts';

/** What a page of somebody else, on another port of the same machine, can make a browser do. */
const attack = (target: string) => `<!doctype html><title>evil</title>
<form action="${target}/cpu/start" method="post" target="sink"><input name="duration" value="500"></form>
<iframe name="sink"></iframe><iframe src="${target}/ui/docs"></iframe><img src="${target}/targets">
<script>
  document.forms[0].submit();
  const post = (init) => fetch('${target}/heap/snapshot', { method: 'POST', ...init }).then(() => 'read', () => 'refused');
  window.outcomes = Promise.all([
    post({ mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body: '{}' }).then(() => 'opaque'),
    post({}),
    post({ headers: { authorization: 'Bearer x' } }),
    fetch('${target}/openapi.json').then(() => 'read', () => 'refused'),
  ]);
</script>`;

test('a page of another origin starts nothing, reads nothing and frames nothing', { timeout: 60_000 }, async () => {
  const services = await fakeServices();
  await using server = await openAdminServer(services, { host: '127.0.0.1', port: 0 });
  const evil = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end(attack(server.url + apiPath));
  }).listen(0, '127.0.0.1');
  await waitFor(() => evil.listening, { message: 'the other server' });
  {
    await using browser = await launchBrowser();
    const page = await browser.open(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`);
    expect(await page.evaluate('window.outcomes')).toEqual(['opaque', 'refused', 'refused', 'refused']);
    const answers = async () => (await services.metrics.httpRequestsTotal.get()).values;
    const forbidden = async () => (await answers()).reduce((sum, { value }) => sum + value, 0);
    // Form, frame, image, two POSTs, and the document; the preflight of the header comes as OPTIONS.
    await waitFor(async () => (await forbidden()) >= 7, { message: 'all seven requests' });
    expect(new Set((await answers()).map(({ labels }) => labels.status))).toEqual(new Set(['403']));
  }
  evil.close();
  expect(services.captures.asked).toEqual([]);
  expect(services.audited).toEqual([]);
});

test('the documentation breaks none of its own policy', { timeout: 60_000 }, async () => {
  const services = await fakeServices();
  await using server = await openAdminServer(services, { host: '127.0.0.1', port: 0 });
  await using browser = await launchBrowser({ width: 390, height: 844 });
  const page = await browser.open(`${server.url}${apiPath}/ui/docs#problem-snapshot-refused`);
  expect(await page.locator('h1').innerText()).toContain('Sidescope 0.1.0');
  expect(await page.evaluate('getComputedStyle(document.body).fontSize')).toBe('15px');
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  expect(browser.complaints.filter((complaint) => !complaint.includes('favicon.ico'))).toEqual([]);
});
