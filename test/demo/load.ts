// The demo's users: `node test/demo/load.ts http://127.0.0.1:PORT [requests per second]`.
const origin = process.argv[2] ?? '';
const ratePerSecond = Math.min(Number(process.argv[3] ?? 15), 200);
const requestsUnderWayMax = 20;

interface Visit {
  /** How often, relative to the others. */
  readonly weight: number;
  readonly method: 'GET' | 'POST';
  readonly path: () => string;
}

const visits: readonly Visit[] = [
  { weight: 56, method: 'GET', path: () => `/products?after=${anyOf(1900)}` },
  { weight: 16, method: 'GET', path: () => `/products/${anyOf(2000)}/report` },
  { weight: 6, method: 'GET', path: () => `/search?q=${['walnut', 'lamp', 'no. 12', 'clock'][anyOf(4) - 1]}` },
  { weight: 14, method: 'POST', path: () => '/sessions' },
  { weight: 2, method: 'GET', path: () => `/invoices/${anyOf(500)}?ms=120&reference=order+number+${anyOf(99)}` },
  { weight: 6, method: 'GET', path: () => '/healthz' },
];

let underWay = 0;
let failuresInRow = 0;
process.once('SIGTERM', () => process.exit(0));
setInterval(() => void visit(), 1000 / ratePerSecond);
process.send?.({ ready: { ratePerSecond } });

async function visit(): Promise<void> {
  // A blocked shop must not gather a queue that outlives the block.
  if (underWay >= requestsUnderWayMax) return;
  underWay++;
  try {
    const { method, path } = pickVisit();
    const response = await fetch(origin + path(), { method, signal: AbortSignal.timeout(30_000) });
    await response.arrayBuffer();
    failuresInRow = 0;
  } catch (error) {
    // One line per outage: a paused or stopped shop is part of the demo.
    if (failuresInRow++ === 0) console.error(`load: the shop does not answer: ${String(error)}`);
  } finally {
    underWay--;
  }
}

function pickVisit(): Visit {
  let left = Math.random() * visits.reduce((sum, { weight }) => sum + weight, 0);
  for (const visit of visits) if ((left -= visit.weight) < 0) return visit;
  throw new Error('the weights do not add up');
}

function anyOf(count: number): number {
  return 1 + Math.floor(Math.random() * count);
}
