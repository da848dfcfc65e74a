import { isSidescopeError } from '../protocol/error.ts';
import { commands, isCommand } from './cli/commands.ts';
import { readSmallFile } from './options/config-file.ts';
import { nearestName } from './options/nearest-name.ts';
import { resolveOptions } from './options.ts';
import type { Agent } from './agent.ts';
import type { ResolvedOptions } from './options.ts';
import { smallStart } from './telemetry/small-start.ts';
import { version } from './version.ts';

/** As shells and getopt have it: the command line was wrong. */
const usageExitCode = 2;
/** What a snapshot under way may still take when the agent is asked to stop. Kubernetes' own grace is 30 s. */
const graceMs = 20_000;

// First of all: as process 1 of a container an early SIGTERM would otherwise be dropped by the kernel, and later it must
// not leave a locked directory or an attached target behind.
const stop = stopSignal();
/** What is left for letting go of the targets when a second signal has cut that short. */
const hurryMs = 2_000;
const timeOver = '--ttl is over';
const hasTty = process.stderr.isTTY;
// A pod may have a terminal too (`tty: true`, `kubectl debug -it`); what is printed there is kept in the pod's log.
const isTerminal = hasTty && process.env['KUBERNETES_SERVICE_HOST'] === undefined;
const argv = helpAsFlag(process.argv.slice(2));
const [word = '', ...rest] = argv;
// A target by mistake (`127.0.0.1:9229`) is an option's problem, with which a sidecar stays up.
const nearestCommand = /^[a-z]+$/.test(word) ? nearestName(word, Object.keys(commands)) : undefined;

if (isCommand(word)) {
  process.exitCode = await runCommand(word, rest);
} else if (nearestCommand !== undefined) {
  process.stderr.write(`sidescope: there is no command ${word}; did you mean ${nearestCommand}?\n`);
  process.exitCode = usageExitCode;
} else {
  await runAgent();
}

/** `sidescope help` and `sidescope help why`, as other programs have it. */
function helpAsFlag(argv: readonly string[]): readonly string[] {
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
}

async function runAgent(): Promise<void> {
  // Whatever does not end in time then, in the start too, is cut.
  void stop.second.then(() => setTimeout(() => process.exit(0), hurryMs));
  const resolved = await resolveOptions({
    argv,
    environment: process.env,
    readFile: readSmallFile,
    isTerminal,
  });
  if (resolved.options.help) {
    const { helpText } = await import('./cli/help.ts');
    process.stdout.write(helpText());
  } else if (resolved.options.version) {
    process.stdout.write(`sidescope ${version}\n`);
  } else {
    await serve(resolved);
  }
}

async function serve(resolved: ResolvedOptions): Promise<void> {
  const { options, problems } = resolved;
  const starting = smallStart();
  // Not at the top: a command has no use for them, and runs in the memory limit of the agent beside it.
  const [{ startAgent }, { createLog }] = await Promise.all([import('./agent.ts'), import('./telemetry/log.ts')]);
  const log = createLog({ level: options.logLevel, isPretty: hasTty });
  const variable = (name: string): string | undefined => process.env[name];
  const agent = await startAgent(resolved, { log, environment: downwardApi(process.env), variable });
  starting[Symbol.dispose]();
  const failed = agent.features().filter(({ state }) => state === 'failed');
  if (options.strict && failed.length > 0) {
    const lines = [
      ...problems.map(({ message }) => message),
      // The options' own is the sum of those before.
      ...failed.flatMap(({ name, reason, remedy }) =>
        name === 'options' ? [] : [`${name}: ${reason}. ${remedy ?? ''}`],
      ),
      'not started (--no-strict goes on without what failed); see --help',
    ];
    for (const line of lines) process.stderr.write(`sidescope: ${line}\n`);
    await agent.close({ graceMs: 0 });
    process.exit(problems.some(({ severity }) => severity === 'error') ? usageExitCode : 1);
  }
  for (const { severity, option, message } of problems) {
    log[severity === 'error' ? 'error' : 'warn']({ option }, message);
  }
  announce(agent);
  log.info({ version, pid: process.pid, admin: agent.admin?.url, ops: agent.ops?.url }, 'sidescope is ready');
  if (agent.endsAt !== undefined) log.info({ endsAt: agent.endsAt.toISOString() }, '--ttl: it stops by itself then');
  // In a pod the process stays, whatever is off: a sidecar that ends takes its pod out of the Service.
  const keepAlive = setInterval(() => undefined, 2 ** 30);
  const why = await Promise.race([stop.first, endOfTime(agent.endsAt)]);
  log.info({ why }, 'stopping: captures are saved, targets are left clean');
  const hurry = new AbortController();
  void (why === timeOver ? stop.first : stop.second).then(() => hurry.abort());
  await agent.close({ graceMs, signal: hurry.signal });
  clearInterval(keepAlive);
  // Node's own exit joins its threads, and one of them waits for a volume that does not answer.
  if (agent.hangs) process.kill(process.pid, 'SIGKILL');
  process.exit(0);
}

async function runCommand(name: keyof typeof commands, argv: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  void stop.first.then((signal) => interrupted.abort(new Error(signal)));
  void stop.second.then(() => process.exit(1));
  const run = await commands[name].load();
  let hasPrinted = false;
  try {
    return await run({
      argv,
      environment: process.env,
      platform: process.platform,
      signal: interrupted.signal,
      print: (text) => {
        hasPrinted = true;
        process.stdout.write(text);
      },
      say: (text) => void process.stderr.write(text),
    });
  } catch (error) {
    if (!isSidescopeError(error)) throw error;
    const { code, message } = error;
    process.stderr.write(`sidescope ${name}: ${message}\n`);
    // Who asked for a document reads one, and no empty text.
    if (argv.includes('--json') && !hasPrinted)
      process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
    return isSidescopeError(error, 'invalid-option') ? usageExitCode : 1;
  }
}

/** On a terminal the link with its token, once. Elsewhere nothing secret: logs are kept and read by others. */
function announce(agent: Agent): void {
  const token = agent.takeToken();
  if (!hasTty || agent.admin === undefined) return;
  const page = `${agent.admin.url}/api/v1/profiling/ui`;
  const fragment = isTerminal && token !== undefined ? `#token=${token}` : '';
  const hint = fragment === '' ? ' (sidescope token prints a link with a token)' : '';
  process.stderr.write(`\n  Dashboard: ${page}${fragment}${hint}\n\n`);
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

function endOfTime(endsAt: Date | undefined): Promise<string> {
  return new Promise((resolve) => {
    if (endsAt !== undefined) setTimeout(() => resolve(timeOver), endsAt.getTime() - Date.now());
  });
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
