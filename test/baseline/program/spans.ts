import { request } from 'node:http';

const sendEveryMs = 200;
const waiting: object[] = [];

/** One request that was served, `durationMs` long. */
export function addSpan(name: string, durationMs: number): void {
  const endNs = BigInt(Date.now()) * 1_000_000n;
  const hex = (digits: number): string =>
    Array.from({ length: digits / 8 }, () => Math.trunc(0x10000000 + Math.random() * 0xe0000000).toString(16)).join('');
  waiting.push({
    traceId: hex(32),
    spanId: hex(16),
    name: `GET ${name}`,
    kind: 2,
    startTimeUnixNano: String(endNs - BigInt(Math.round(durationMs * 1e6))),
    endTimeUnixNano: String(endNs),
    attributes: [attribute('http.request.method', 'GET'), attribute('http.route', name)],
  });
}

export function sendSpansTo(url: string): void {
  const resource = { attributes: [{ key: 'process.pid', value: { intValue: String(process.pid) } }] };
  setInterval(() => {
    if (waiting.length === 0) return;
    const scopeSpans = [{ spans: waiting.splice(0) }];
    const sending = request(`${url}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    // The agent of the test may be gone before this program is.
    sending.on('error', () => undefined).on('response', (response) => response.resume());
    sending.end(JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] }));
  }, sendEveryMs);
}

function attribute(key: string, stringValue: string): object {
  return { key, value: { stringValue } };
}
