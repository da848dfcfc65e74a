import type { ProfileSource, SourceFunction } from '../../protocol/rest/profile-source.ts';

const text = `/** Adds up what a report shows. */
export function sumUp(orders: readonly Order[], rates: Rates): Money {
  let total = 0;
  for (const order of orders) {
    for (const item of order.items) {
      const rate = rates.find(({ currency }) => currency === item.currency);
      total += Math.round(item.price * item.count * (rate?.factor ?? 1));
    }
    total -= order.discounts.reduce((sum, { amount }) => sum + amount, 0);
  }
  return { amount: total, currency: 'EUR' };
}
<img src=x onerror=alert(1)></td><script>alert(2)</script> \u202egnp.exe`.split('\n');

/** Of `sumUp@file:///srv/shop/report.js:120`, and of a function whose file was gone. */
export function sampleSource(profileId: string): ProfileSource {
  const samplesOf = new Map([
    [123, 4],
    [124, 12],
    [125, 30],
  ]);
  const lines = text.map((line, index) => {
    const selfSamples = samplesOf.get(119 + index) ?? 0;
    return { line: 119 + index, column: 1, text: line, isCut: false, selfSamples, selfShare: selfSamples / 46 };
  });
  const far = { line: 180, column: 41, text: 'x'.repeat(200), isCut: true, selfSamples: 0, selfShare: 0 };
  return { profileId, functions: [sumUp([...lines, far]), gone], omittedLines: 0, reason: null };
}

function sumUp(lines: SourceFunction['lines']): SourceFunction {
  return {
    functionName: 'sumUp',
    url: 'file:///srv/shop/report.js',
    line: 120,
    column: 17,
    selfSamples: 46,
    selfMs: 60,
    from: 'original-file',
    file: '/srv/shop/src/report.ts',
    hasChanged: true,
    hasLines: true,
    reason: null,
    lines,
  };
}

const gone: SourceFunction = {
  functionName: 'query',
  url: 'file:///srv/shop/node_modules/pg/lib/client.js',
  line: 5,
  column: 1,
  selfSamples: 30,
  selfMs: 30,
  from: null,
  file: null,
  hasChanged: false,
  hasLines: true,
  reason: 'there is no /srv/shop/node_modules/pg/lib/client.js',
  lines: [],
};
