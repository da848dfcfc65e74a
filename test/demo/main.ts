// `npm run demo`: a backend under load, and Sidescope beside it. Options: --without-load, --without-agent.
import { parseArgs } from 'node:util';
import { freeAddress, startAgent } from './agent.ts';
import { startBackend } from './backend.ts';
import type { Backend } from './backend.ts';

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => stop.abort(new Error(`stopping everything (${name})`)));
}
process.on('disconnect', () => stop.abort(new Error('stopping everything (whoever started the demo is gone)')));
process.channel?.unref();

try {
  const { values: options } = parseArgs({
    options: {
      'without-load': { type: 'boolean', default: false },
      'without-agent': { type: 'boolean', default: false },
    },
  });
  console.log('demo: starting a database, a shop and its users');
  await runDemo({ load: !options['without-load'], agent: !options['without-agent'], signal: stop.signal });
} catch (error) {
  // Ctrl-C is the way to end it; everything else, a child's end included, is a failure.
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = stop.signal.aborted && error === stop.signal.reason ? 0 : 1;
}

/** Rejects with the reason, once everything is stopped. */
async function runDemo(options: { load: boolean; agent: boolean; signal: AbortSignal }): Promise<never> {
  const { load, agent, signal } = options;
  await using stack = new AsyncDisposableStack();
  const otlpAddress = agent ? await freeAddress() : undefined;
  const backend = stack.use(await startBackend({ load, env: spansTo(otlpAddress), signal }));
  const processes = [...backend.processes];
  console.log(overview(backend));
  let dashboardUrl: string | undefined;
  if (otlpAddress !== undefined) {
    const { inspectorAddress, shopUrl } = backend;
    const metricsUrl = `${shopUrl}/metrics`;
    const started = stack.use(await startAgent({ inspectorAddress, otlpAddress, metricsUrl, signal }));
    processes.push(started.process);
    dashboardUrl = started.dashboardUrl;
    if (dashboardUrl !== undefined) console.log(`  Dashboard: ${dashboardUrl}\n`);
  }
  process.send?.({ ready: { ...addresses(backend), dashboardUrl, pids: processes.map(({ pid }) => pid) } });

  const stopped = new Promise<never>((_resolve, reject) => {
    signal.throwIfAborted();
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  const someoneEnded = Promise.race(processes.map(({ ended }) => ended)).then((how) => {
    throw new Error(`${how}; stopping everything`);
  });
  return await Promise.race([stopped, someoneEnded]);
}

/** All that an application with OpenTelemetry needs; each second instead of every five, as somebody watches. */
function spansTo(address: string | undefined): Record<string, string> {
  if (address === undefined) return {};
  return { OTEL_EXPORTER_OTLP_ENDPOINT: `http://${address}`, OTEL_BSP_SCHEDULE_DELAY: '1000' };
}

function addresses({ shopUrl, inspectorAddress, databaseAddress }: Backend): Record<string, string> {
  return { shopUrl, inspectorAddress, databaseAddress };
}

function overview({ shopUrl, inspectorAddress, databaseAddress }: Backend): string {
  return `
  shop        ${shopUrl}
  metrics     ${shopUrl}/metrics
  inspector   ${inspectorAddress}
  database    ${databaseAddress} (one connection at a time: the shop's)

  to try, besides the load:
  CPU         curl ${shopUrl}/products/17/report
  CPU burst   curl -sZ -o /dev/null '${shopUrl}/products/[1-2000]/report'   (the rule of test/demo/sidescope.yaml captures it)
  database    curl '${shopUrl}/search?q=lamp'
  leak        curl -X POST ${shopUrl}/sessions
  block 5 s   curl '${shopUrl}/invoices/1?ms=5000'
  bad regexp  curl '${shopUrl}/invoices/1?reference=aaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'

  Ctrl-C stops everything.
`;
}
