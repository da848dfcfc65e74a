import { expect, it } from 'vitest';
import type { RunningAgent } from '../support/agent.ts';
import { openAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { axeFindings } from './accessible.ts';
import { launchBrowser } from './browser.ts';

it('shows limits and pools, searches for a leak with a guide, and tells how the run ended', async () => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({ targets: [target.inspectorAddress], args: ['--vitals-interval', '1s'] });
  await using browser = await launchBrowser();
  const page = await browser.open(pageOf(agent, '/memory'));
  page.setDefaultTimeout(20_000);
  await page.getByRole('heading', { name: 'Limits' }).waitFor();
  await page.getByRole('figure', { name: 'JavaScript heap' }).waitFor();

  await page.getByLabel('Under load (s)').fill('1');
  await page.getByLabel('To settle (s)').fill('0');
  await page.getByRole('button', { name: 'Search for leaks' }).click();
  await page.getByText('put load on the program now').waitFor();
  await page.getByRole('columnheader', { name: 'Still held of the growth' }).waitFor();
  // Below the header that stays, a sign may be half hidden.
  await page.evaluate('scrollTo(0, 0)');
  expect(await axeFindings(page)).toEqual([]);

  target.kill('SIGKILL');
  const record = page.getByRole('listitem').filter({ hasText: `pid ${target.pid}` });
  await record.getByText('Killed from outside').waitFor();
  await record.getByText('What was known').click();
  await record.getByText('SIGKILL').first().waitFor();
  await record.getByRole('button', { name: 'Copy as text' }).waitFor();
  expect(browser.complaints.join('\n')).toBe('');
});

it('shows what every thread executes, and a block of the loop with its merged stacks', async () => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({
    targets: [target.inspectorAddress],
    args: ['--stall-threshold', '300ms', '--stall-interval', '100ms'],
  });
  await using browser = await launchBrowser({ dark: true });
  const page = await browser.open(pageOf(agent, '/stacks'));
  page.setDefaultTimeout(20_000);
  const main = page.getByRole('listitem', { name: 'Thread main' });
  await main.getByText('Idle', { exact: true }).waitFor();
  await target.send(4_000);
  await main.getByText('Idle', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Refresh' }).click();
  await main.getByText('renderReport', { exact: true }).waitFor();
  const stall = page
    .getByRole('listitem')
    .filter({ has: page.getByText('Merged stacks and facts') })
    .first();
  await stall.getByText('Goes on').waitFor();
  await target.waitForOutput(/rendered/);
  await stall
    .getByText(/^[34](\.\d+)? s$/)
    .first()
    .waitFor();
  await stall.getByText('Merged stacks and facts').click();
  await stall.getByRole('list', { name: 'Merged stacks, callers first' }).getByText('renderReport').waitFor();
  expect(await axeFindings(page)).toEqual([]);
  // The link holds which one is open.
  await page.reload();
  await page.getByRole('list', { name: 'Merged stacks, callers first' }).waitFor();
  expect(browser.complaints.join('\n')).toBe('');
});

it('shows what two heap snapshots say holds the growth, and leads to their comparison', async () => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({ targets: [target.inspectorAddress], args: ['--heap-analysis'] });
  const post = async (path: string): Promise<Response> => {
    const headers = { authorization: `Bearer ${agent.token}` };
    const response = await fetch(`${agent.url}/api/v1/profiling${path}`, { method: 'POST', headers });
    if (!response.ok) throw new Error(await response.text());
    return response;
  };
  // Not before the agent has attached.
  await waitFor(() => post('/heap/snapshot?force=true&wait=true'), { message: 'a snapshot to be taken' });
  await target.send('more');
  await target.waitForOutput(/held 4000/);
  await post('/heap/snapshot?force=true&wait=true');
  await post('/memory/leaks/investigate?duration=1000&settle=0&wait=true');

  await using browser = await launchBrowser();
  const page = await browser.open(pageOf(agent, '/memory'));
  page.setDefaultTimeout(20_000);
  await page.getByRole('list', { name: 'What holds the growth' }).getByText('2,000 × Session').waitFor();
  await page.getByRole('list', { name: 'Classes that retain more' }).getByText('2,000 → 4,000').first().waitFor();
  expect(await axeFindings(page)).toEqual([]);
  const link = await page.getByRole('link', { name: 'Compare these snapshots' }).getAttribute('href');
  expect(link).toMatch(/^#\/heap\/[^?]+\?against=/);
  expect(browser.complaints.join('\n')).toBe('');
});

function pageOf({ url, token }: RunningAgent, path: string): string {
  return `${url}/api/v1/profiling/ui#${path}?token=${token}`;
}
