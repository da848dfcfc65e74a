import { expect, it } from 'vitest';
import type { Operation } from '../../protocol/rest/operation.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { openAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { launchBrowser } from './browser.ts';

it('an allocation profile of a real process opens in speedscope as it was published', async () => {
  await using target = await startTarget('leaks/map');
  await using running = await openAgent({ targets: [target.inspectorAddress], args: ['--otlp-address', 'off'] });
  const post = async <T>(path: string): Promise<T> => {
    const headers = { authorization: `Bearer ${running.token}` };
    const answer = await fetch(`${running.url}${apiPath}${path}`, { method: 'POST', headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  await waitFor(() => running.logged.some((line) => line.includes('attached')), {
    message: 'the target to be attached',
  });
  const operation = await post<Operation>('/heap/sampling/start?duration=1500&wait=true');
  expect(operation.state).toBe('succeeded');
  const { url } = await post<{ url: string }>(`/profiles/${operation.profileIds[0] ?? ''}/ticket`);
  await using browser = await launchBrowser();
  const fragment = `profileURL=${encodeURIComponent(url)}&title=shop.heapprofile`;
  const page = await browser.open(`${running.url}${apiPath}/ui/speedscope/index.html#${fragment}`);
  await waitFor(async () => (await page.title()).includes('shop.heapprofile'), {
    message: 'speedscope with the profile in its title',
  });
  await page.getByText('Sandwich').waitFor();
  await page.getByText('Sandwich').click();
  await page.getByText('rememberSession').first().waitFor();
  expect(await page.getByText(/went wrong|Unrecognized format|error/i).count()).toBe(0);
});
