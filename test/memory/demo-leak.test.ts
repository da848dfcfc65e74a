import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { leakListSchema, type LeakVerdict } from '../../protocol/rest/leaks.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { openReceiver, parseEnvelope } from '../alerts/receiver.ts';
import { startBackend } from '../demo/backend.ts';
import { openAgent } from '../support/agent.ts';
import { waitFor } from '../support/wait-for.ts';

// With windows of 30 s, as the agent has them, and 80 requests a second it took 4.9 minutes (Node 24, limit of 4 GB, 2.7 MB/s).
it(
  "the demo's leak route under load is called a leak, with its line, and Sentry hears of it with the evidence",
  { timeout: 120_000 },
  async () => {
    await using receiver = await openReceiver();
    await using shop = await startBackend({ load: false, env: { NODE_OPTIONS: '--max-old-space-size=512' } });
    await using running = await openAgent({
      targets: [shop.inspectorAddress],
      args: [
        ...['--vitals-interval', '1s', '--otlp-address', 'off'],
        ...['--sentry-dsn', `http://a1b2c3d4e5f60718293a4b5c6d7e8f90@127.0.0.1:${receiver.port}/42`],
      ],
      leakHurry: { windowMs: 2_000, readEveryMs: 500, pauseShare: 0.5 },
    });
    const read = async (path: string): Promise<Response> =>
      fetch(`${running.url}${apiPath}${path}`, { headers: { authorization: `Bearer ${running.token}` } });
    const events = await read('/events');
    const stopped = new AbortController();
    const visiting = visitSteadily(`${shop.shopUrl}/sessions`, stopped.signal);
    const heap = async (): Promise<LeakVerdict | undefined> =>
      leakListSchema.parse(await (await read('/memory/leaks')).json()).verdicts.find(({ pool }) => pool === 'heap');
    let seen: LeakVerdict | undefined;
    const last = await waitFor(
      async () => {
        seen = await heap();
        return seen?.verdict === 'leak' && seen.sites.length > 0 ? seen : undefined;
      },
      {
        deadlineMs: 90_000,
        message: () => `the verdict; now: ${JSON.stringify(seen)}; ${running.logged.slice(-3).join('')}`,
      },
    );
    const sentryEvent = await waitFor(() => leakEventWithSites(receiver.received.map(({ body }) => body)), {
      deadlineMs: 20_000,
      message: () => `Sentry's event; ${receiver.received.length} came`,
    });
    stopped.abort();
    await visiting;

    expect(last).toMatchObject({
      limit: { kind: 'heap', bytes: 512 * 2 ** 20, reachedAt: expect.any(String) as string },
    });
    expect(last.sites[0]).toMatchObject({ url: expect.stringMatching(/shop\/sessions\.ts$/) as string, line: 14 });
    expect(last.nextStep).toContain('sessions.ts:14');
    const { event, attachments } = sentryEvent;
    expect(event).toMatchObject({ tags: { problem: 'memory-leak', key: 'heap', service: 'shop' } });
    expect(attachments['sites.txt']).toContain('sessions.ts:14');
    expect(JSON.stringify(event)).toContain('heapUsedBytes');

    await waitFor(
      async () => {
        const metrics = await (await fetch(`${running.opsUrl}/metrics`)).text();
        return (
          /^sidescope_leak_verdicts_total\{target="[^"]+",pool="heap",verdict="leak"\} 1$/m.test(metrics) &&
          /^sidescope_heap_readings_total\{cause="suspicion",result="read"\} [1-9]/m.test(metrics) &&
          /^sidescope_heap_reading_pause_seconds_count [1-9]/m.test(metrics)
        );
      },
      { message: 'the metrics' },
    );
    expect(await firstLeakEvent(events)).toContain('"verdict":"leak"');
  },
);

/** Some 5 MB of sessions a second. */
async function visitSteadily(url: string, signal: AbortSignal): Promise<void> {
  const visit = async (): Promise<void> => {
    try {
      await (await fetch(url, { method: 'POST', signal })).arrayBuffer();
    } catch (error) {
      // Given up at the end.
      if (!signal.aborted) throw error;
    }
  };
  while (!signal.aborted) {
    await Promise.all(Array.from({ length: 7 }, visit));
    await delay(50);
  }
}

function leakEventWithSites(
  envelopes: readonly Buffer[],
): { event: Record<string, unknown>; attachments: Record<string, string> } | undefined {
  for (const envelope of envelopes) {
    const { items } = parseEnvelope(envelope);
    const payload = items.find(({ header }) => header['type'] === 'event')?.payload.toString();
    const event = JSON.parse(payload ?? '{}') as { tags?: Record<string, string> };
    const attachments = Object.fromEntries(
      items
        .filter(({ header }) => header['type'] === 'attachment')
        .map((item) => [String(item.header['filename']), item.payload.toString()]),
    );
    if (event.tags?.['problem'] === 'memory-leak' && attachments['sites.txt'] !== undefined)
      return { event, attachments };
  }
  return undefined;
}

/** Reads the stream until a leak is in it. */
async function firstLeakEvent({ body }: Response): Promise<string> {
  let text = '';
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const [, found] = /^event: leak\n(?:id: .*\n)?data: (.*"verdict":"leak".*)$/m.exec(text) ?? [];
    if (found !== undefined) return found;
  }
  throw new Error(`the stream ended: ${text.slice(-500)}`);
}
