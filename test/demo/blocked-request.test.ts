import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainProcess } from '../../agent/cli/why.ts';
import type { WhyReport } from '../../agent/cli/why/report.ts';
import { openHarness } from '../capture/harness.ts';
import { startDemo } from '../support/demo.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Backend } from './backend.ts';

/** A request to the route that blocks; its trace is the caller's, as `traceparent` says. */
class BlockingRequest implements AsyncDisposable {
  readonly traceId = randomBytes(16).toString('hex');
  isAnswered = false;
  readonly #stop = new AbortController();
  readonly #answer: Promise<void>;

  constructor(shopUrl: string) {
    this.#answer = this.#ask(`${shopUrl}/invoices/5?ms=20000&reference=order`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#answer;
  }

  async #ask(url: string): Promise<void> {
    const headers = { traceparent: `00-${this.traceId}-${randomBytes(8).toString('hex')}-01` };
    try {
      await fetch(url, { headers, signal: this.#stop.signal });
      this.isAnswered = true;
    } catch (error) {
      // Nobody waits for its end, only for what is said meanwhile.
      if (!this.#stop.signal.aborted) throw error;
    }
  }
}

describe('the route of the shop that blocks, while it does', () => {
  let shop: Backend;
  let request: BlockingRequest;
  const stack = new AsyncDisposableStack();
  afterAll(() => stack.disposeAsync());

  beforeAll(async () => {
    shop = stack.use(await startDemo({ load: false }));
    request = stack.use(new BlockingRequest(shop.shopUrl));
    // Blocked, it does not hear SIGTERM.
    stack.defer(() => void process.kill(shop.shopPid, 'SIGKILL'));
  });

  it('is named with its own trace by live stacks and by sidescope why, with function and line', async () => {
    await using harness = await openHarness([shop.inspectorAddress]);
    const main = await waitFor(
      async () => {
        const { threads } = await harness.captures.readStacks({});
        return threads.find(({ thread, span }) => thread === 'main' && span !== null);
      },
      { message: 'a stack inside the request' },
    );
    expect(main.span).toMatchObject({ traceId: request.traceId, route: '/invoices/:id' });
    expect(main.frames.map(({ functionName }) => functionName)).toContain('signInvoice');

    let printed = '';
    await explainProcess({
      argv: [String(shop.shopPid), '--json'],
      environment: {},
      platform: 'linux',
      signal: new AbortController().signal,
      print: (text) => void (printed += text),
      say: () => undefined,
    });
    expect(request.isAnswered).toBe(false);
    const { verdict, text, span, hotspot } = JSON.parse(printed) as WhyReport;
    expect({ verdict, text }).toEqual({ verdict: 'blocked', text: expect.stringMatching(/native work/) as string });
    expect(span).toMatchObject({ traceId: request.traceId, route: '/invoices/:id', sampled: true });
    expect(hotspot?.place.functionName).toBe('signInvoice');
    expect(hotspot?.place.file).toMatch(/test\/demo\/shop\/invoices\.ts$/);
  });
});
