import { expect, it } from 'vitest';
import { openAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { axeFindings } from './accessible.ts';
import { launchBrowser } from './browser.ts';

it.each(['light', 'dark'])('leads from a blocked process to the function and its line, %s', async (theme) => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({
    targets: [target.inspectorAddress],
    args: ['--stall-threshold', '300ms', '--stall-interval', '100ms', '--vitals-interval', '1s'],
  });
  await using browser = await launchBrowser({ dark: theme === 'dark' });
  const page = await browser.open(`${agent.url}/api/v1/profiling/ui#/?token=${agent.token}`);
  page.setDefaultTimeout(20_000);
  const health = page.getByRole('status', { name: 'Health' });
  await health.getByText('Healthy: event loop').waitFor();
  await page.getByRole('figure', { name: 'CPU' }).waitFor();

  await target.send(4_000);
  await health.getByText(/is blocked for .* by renderReport \(holds-sessions\.cjs:\d+\)/).waitFor();
  await health.getByText('Problem', { exact: true }).waitFor();
  await health.getByRole('link', { name: 'Show it' }).click();
  await page.getByRole('heading', { name: 'Stacks', exact: false }).first().waitFor();
  await page
    .getByText(/holds-sessions\.cjs:\d+/)
    .first()
    .waitFor();

  await target.waitForOutput(/rendered/);
  await page.getByRole('link', { name: 'Overview' }).click();
  const sign = page.getByRole('group', { name: 'What happened' }).getByRole('link', { name: /^Stall: blocked for/ });
  await sign.waitFor();
  expect(await axeFindings(page)).toEqual([]);
  await waitFor(async () => !(await health.innerText()).includes('is blocked'), { message: 'the end of the stall' });
  expect(browser.complaints.join('\n')).toBe('');
});
