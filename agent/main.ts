import { startAgent, type Agent } from './agent.ts';
import { helpText } from './cli/help.ts';
import { readSmallFile } from './options/config-file.ts';
import { resolveOptions } from './options.ts';
import { createLog } from './telemetry/log.ts';
import { version } from './version.ts';

/** As shells and getopt have it: the command line was wrong. */
const usageExitCode = 2;
/** What a snapshot under way may still take when the agent is asked to stop. Kubernetes' own grace is 30 s. */
const graceMs = 20_000;

const isTerminal = process.stderr.isTTY;
const resolved = await resolveOptions({
  argv: process.argv.slice(2),
  environment: process.env,
  readFile: readSmallFile,
  isTerminal,
});
const { options, problems } = resolved;

if (options.help) {
  process.stdout.write(helpText());
} else if (options.version) {
  process.stdout.write(`sidescope ${version}\n`);
} else {
  await run();
}

async function run(): Promise<void> {
  const log = createLog({ level: options.logLevel, isPretty: isTerminal });
  // Installed first: a signal during the start must not leave a locked directory or an attached target behind.
  const stop = stopSignal();
  const agent = await startAgent(resolved, { log, environment: downwardApi(process.env) });
  for (const { severity, option, message } of problems) {
    log[severity === 'error' ? 'error' : 'warn']({ option }, message);
  }
  const failed = agent.features().filter(({ state }) => state === 'failed');
  if (options.strict && failed.length > 0) {
    for (const { name, reason, remedy } of failed)
      process.stderr.write(`sidescope: ${name}: ${reason}. ${remedy ?? ''}\n`);
    process.stderr.write('sidescope: not started (--no-strict goes on without what failed); see --help\n');
    await agent.close({ graceMs: 0 });
    process.exit(problems.some(({ severity }) => severity === 'error') ? usageExitCode : 1);
  }
  announce(agent);
  log.info({ version, pid: process.pid, admin: agent.admin?.url, ops: agent.ops?.url }, 'sidescope is ready');
  // In a pod the process stays, whatever is off: a sidecar that ends takes its pod out of the Service.
  const keepAlive = setInterval(() => undefined, 2 ** 30);
  const signal = await stop.first;
  log.info({ signal }, 'stopping: captures are saved, targets are left clean');
  await Promise.race([agent.close({ graceMs }), stop.second]);
  clearInterval(keepAlive);
  process.exit(0);
}

/** On a terminal the link with its token, once. Elsewhere nothing secret: logs are kept and read by others. */
function announce(agent: Agent): void {
  const token = agent.takeToken();
  if (!isTerminal || agent.admin === undefined) return;
  const page = `${agent.admin.url}/api/v1/profiling/ui`;
  process.stderr.write(`\n  Dashboard: ${page}${token === undefined ? '' : `#token=${token}`}\n\n`);
}

function stopSignal(): { first: Promise<string>; second: Promise<string> } {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  let count = 0;
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(name, () => (count++ === 0 ? first : second).resolve(name));
  }
  return { first: first.promise, second: second.promise };
}

/** Variables that the manifests fill by the downward API. */
function downwardApi(environment: NodeJS.ProcessEnv): Record<string, string> {
  const names = {
    POD_NAME: 'pod',
    POD_NAMESPACE: 'namespace',
    NODE_NAME: 'node',
    CONTAINER_NAME: 'container',
  } as const;
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, key]) => {
      const value = environment[name];
      return value === undefined || value === '' ? [] : [[key, value.slice(0, 253)]];
    }),
  );
}
