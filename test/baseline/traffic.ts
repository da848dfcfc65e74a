import { Agent, get } from 'node:http';

export interface Traffic extends AsyncDisposable {
  /** May be changed at any time. */
  perSecond: number;
  readonly answered: number;
  readonly failed: number;
}

const tickMs = 50;

/** Requests to a service, evenly over its routes, at a rate that does not wait for answers. What the service is too slow for is not asked: 50 at once at most. */
export function sendTraffic(
  url: string,
  { routes, perSecond }: { routes: readonly string[]; perSecond: number },
): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  let [due, next, open, answered, failed] = [0, 0, 0, 0, 0];
  let lastMs = performance.now();
  const send = (): void => {
    open++;
    const request = get(`${url}${routes[next++ % routes.length] ?? '/'}`, { agent, timeout: 10_000 }, (response) => {
      response.resume().once('end', () => answered++);
    });
    request.once('timeout', () => request.destroy(new Error('no answer in 10 s')));
    // A target that ends resets its connections; who asks sees that in `failed`.
    request.once('error', () => failed++);
    request.once('close', () => open--);
  };
  const timer = setInterval(() => {
    const nowMs = performance.now();
    due = Math.min(due + ((nowMs - lastMs) * traffic.perSecond) / 1000, traffic.perSecond);
    lastMs = nowMs;
    for (; due >= 1; due--) if (open < 50) send();
  }, tickMs);
  const traffic = {
    perSecond,
    get answered() {
      return answered;
    },
    get failed() {
      return failed;
    },
    [Symbol.asyncDispose]: () => {
      clearInterval(timer);
      agent.destroy();
      return Promise.resolve();
    },
  };
  return traffic;
}
