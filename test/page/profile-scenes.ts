import type { Page } from 'playwright-core';
import { fileOf } from '../cpu-profile/profiles.ts';
import { ago, sampleProfile } from './samples.ts';
import { sampleSource } from './source-samples.ts';
import type { World } from './stand-in.ts';

const serve = 'main@file:///srv/shop/server.js:2;handle@file:///srv/shop/node_modules/express/lib/router.js:41';
const report = `${serve};renderReport@file:///srv/shop/report.js:88`;
const query = `${serve};query@file:///srv/shop/node_modules/pg/lib/client.js:512`;

/** A profile, and what it has more of than an earlier one. */
export function profileScenes() {
  const later = fileOf(
    `${report};sumUp@file:///srv/shop/report.js:120 260`,
    `${report};formatMoney@file:///srv/shop/money.js:9;stringify 90`,
    `${query};parseRow@file:///srv/shop/node_modules/pg/lib/result.js:60 120`,
    `${serve};readFile@node:fs:410 40`,
    '(garbage collector) 60',
    '(program) 12',
    '(idle) 300',
  );
  const earlier = fileOf(
    `${report};sumUpAll@file:///srv/shop/report.js:99 120`,
    `${query};parseRow@file:///srv/shop/node_modules/pg/lib/result.js:60 210`,
    `${serve};readFile@node:fs:410 60`,
  );
  const world: Partial<World> = {
    profiles: [sampleProfile({ id: 'p-1' }), sampleProfile({ id: 'p-0', startedAt: ago(90_000_000) })],
    files: { 'p-1.cpuprofile': JSON.stringify(later), 'p-0.cpuprofile': JSON.stringify(earlier) },
  };
  return [
    { name: 'profile', path: '/profile/p-1', world, ready: drawn },
    {
      name: 'profile-source',
      path: '/profile/p-1',
      world: { ...world, sources: { 'p-1': sampleSource('p-1') } },
      ready: async (page: Page) => {
        await drawn(page);
        await page
          .getByRole('table', { name: 'Functions of the profile' })
          .getByRole('button', { name: 'sumUp' })
          .click();
        await page.getByRole('region', { name: 'Source lines of sumUp' }).waitFor();
      },
    },
    {
      name: 'profile-diff',
      path: '/profile/p-1?against=p-0',
      world,
      ready: async (page: Page) => {
        await page.getByRole('table', { name: /share changed/ }).waitFor();
        await drawn(page);
      },
    },
    {
      name: 'profile-choice',
      path: '/profile',
      world,
      ready: (page: Page) => page.getByText('Drop a .cpuprofile').waitFor(),
    },
  ];
}

async function drawn(page: Page): Promise<void> {
  await page.locator('canvas[data-boxes]').waitFor();
}
