import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent } from '../../agent/agent.ts';
import type { Agent, AgentSurroundings } from '../../agent/agent.ts';
import type { RunTimes } from '../../agent/baseline/run.ts';
import { readSmallFile } from '../../agent/options/config-file.ts';
import { resolveOptions } from '../../agent/options.ts';
import type { AuditRecord } from '../../agent/telemetry/audit.ts';
import { createLog } from '../../agent/telemetry/log.ts';

export interface RunningAgent extends AsyncDisposable {
  readonly agent: Agent;
  /** `http://127.0.0.1:PORT` of the admin listener. */
  readonly url: string;
  readonly opsUrl: string;
  /** Where spans go; undefined when `--otlp-address` is off. */
  readonly otlpUrl: string | undefined;
  readonly token: string;
  readonly dataDirectory: string;
  /** Lines of its log, as JSON. */
  readonly logged: readonly string[];
  readonly audited: readonly AuditRecord[];
}

/** The whole agent in this process, as `sidescope --target …` makes it: free ports, a data directory of its own. */
export async function openAgent(options: {
  targets: readonly string[];
  args?: readonly string[];
  /** Kept by the caller, for the next agent; one of its own, removed at the end, unless told. */
  dataDirectory?: string;
  leakHurry?: AgentSurroundings['leakHurry'];
  regressionTimes?: RunTimes;
  rulesLookEveryMs?: AgentSurroundings['rulesLookEveryMs'];
}): Promise<RunningAgent> {
  await using stack = new AsyncDisposableStack();
  const dataDirectory = options.dataDirectory ?? (await mkdtemp(join(tmpdir(), 'sidescope-agent-')));
  if (options.dataDirectory === undefined) stack.defer(() => rm(dataDirectory, { recursive: true, force: true }));
  const logged: string[] = [];
  const resolved = await resolveOptions({
    argv: [
      ...options.targets.flatMap((target) => ['--target', target]),
      ...['--data-dir', dataDirectory, '--admin-address', '127.0.0.1:0', '--ops-address', '127.0.0.1:0'],
      ...(options.args?.includes('--otlp-address') === true ? [] : ['--otlp-address', '127.0.0.1:0']),
      ...(options.args ?? []),
    ],
    environment: {},
    readFile: readSmallFile,
    isTerminal: false,
  });
  if (resolved.problems.length > 0) throw new Error(resolved.problems.map(({ message }) => message).join('; '));
  const log = createLog({ level: 'info', destination: { write: (line) => logged.push(line) } });
  const audited: AuditRecord[] = [];
  const audit = { write: (record: AuditRecord) => audited.push(record) };
  const { leakHurry, regressionTimes, rulesLookEveryMs } = options;
  const agent = await startAgent(resolved, {
    log,
    audit,
    environment: {},
    ...(leakHurry !== undefined && { leakHurry }),
    ...(regressionTimes !== undefined && { regressionTimes }),
    ...(rulesLookEveryMs !== undefined && { rulesLookEveryMs }),
  });
  stack.defer(() => agent.close({ graceMs: 0 }));
  if (agent.admin === undefined || agent.ops === undefined) throw new Error(logged.join(''));
  const resources = stack.move();
  return {
    agent,
    url: agent.admin.url,
    opsUrl: agent.ops.url,
    otlpUrl: agent.otlp?.url,
    token: agent.takeToken() ?? '',
    dataDirectory,
    logged,
    audited,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
