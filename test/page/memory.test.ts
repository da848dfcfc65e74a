import { expect, it } from 'vitest';
import type { StallList } from '../../protocol/rest/stalls.ts';
import type { RunningAgent } from '../support/agent.ts';
import { openAgent } from '../support/agent.ts';
import { startTarget, type RunningTarget } from '../support/target.ts';
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
  const stall = page
    .getByRole('listitem')
    .filter({ hasText: 'Merged stacks and facts' })
    .filter({ hasText: 'renderReport' });
  const looking = async (): Promise<void> => {
    await main.getByText('Idle', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await main.getByText('renderReport', { exact: true }).waitFor();
    await stall.first().getByText('Goes on').waitFor();
  };
  await whileBlocked(target, looking());
  await stall.getByText('Goes on').waitFor({ state: 'detached' });
  await stall.first().getByText('Merged stacks and facts').click();
  await stall.getByRole('list', { name: 'Merged stacks, callers first' }).getByText('renderReport').waitFor();
  expect(await axeFindings(page)).toEqual([]);
  const answer = await fetch(`${agent.url}/api/v1/profiling/stalls?tree=false&limit=1`, {
    headers: { authorization: `Bearer ${agent.token}` },
  });
  expect(((await answer.json()) as StallList).stalls).toMatchObject([{ tree: [], thread: 'main' }]);
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

/** Its loop is blocked at least once, and again until the work is done: on a busy machine the page is late. */
async function whileBlocked(target: RunningTarget, work: Promise<void>): Promise<void> {
  let isDone = false;
  const watched = work.finally(() => (isDone = true));
  const blocking = async (): Promise<void> => {
    for (let blocks = 1; !isDone; blocks++) {
      await target.send(3_000);
      await target.waitForOutput(new RegExp(`(rendered\\s+){${blocks}}`), 20_000);
    }
  };
  await Promise.all([watched, blocking()]);
}
