import { randomBytes } from 'node:crypto';

/** Requests of `GET /checkout`, a hundred a second, as OTLP from the process `pid`: one of ten takes three times as long. */
export function sendSpans(otlpUrl: string, { pid, latencyMs }: { pid: number; latencyMs: number }): Disposable {
  const resource = { attributes: [{ key: 'process.pid', value: { intValue: String(pid) } }] };
  const timer = setInterval(() => {
    const spans = Array.from({ length: 20 }, (_, index) => spanOf(index % 10 === 0 ? 3 * latencyMs : latencyMs));
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
    const headers = { 'content-type': 'application/json' };
    // The agent is gone before this is, at the end.
    fetch(`${otlpUrl}/v1/traces`, { method: 'POST', headers, body }).catch(() => undefined);
  }, 200);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function spanOf(durationMs: number): object {
  const endNs = BigInt(Date.now()) * 1_000_000n;
  return {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: 'GET /checkout',
    kind: 2,
    startTimeUnixNano: String(endNs - BigInt(durationMs) * 1_000_000n),
    endTimeUnixNano: String(endNs),
    attributes: [
      { key: 'http.request.method', value: { stringValue: 'GET' } },
      { key: 'http.route', value: { stringValue: '/checkout' } },
      { key: 'http.response.status_code', value: { intValue: '200' } },
    ],
  };
}
