import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { ClosingResult } from '../attach/close-inspector.ts';
import { readMainThread } from '../attach/main-thread.ts';
import { findNodeProcesses } from '../attach/node-processes.ts';
import { commandOf, readProcess } from '../attach/process.ts';
import type { ProcessFacts } from '../attach/process.ts';
import type { Attachment } from '../attach/attachment.ts';
import type { SourceMapContext } from '../source-maps/find-positions.ts';
import { commandHelp, readCommandLine } from './command-line.ts';
import type { CommandContext } from './command.ts';
import { version } from '../version.ts';
import { Kubectl } from './kubectl.ts';
import { observe } from './why/observe.ts';
import { explainInPod } from './why/pod.ts';
import type { PodRequest } from './why/pod.ts';
import { originalObservation } from './why/originals.ts';
import { readUsage, usageRates } from './why/process-usage.ts';
import type { ProcessUsage } from './why/process-usage.ts';
import { reachAddress, reachPid } from './why/reach.ts';
import type { Reached } from './why/reach.ts';
import { nextStep, nextStepWithout, reportText } from './why/report.ts';
import type { WhyReport } from './why/report.ts';
import { judge } from './why/verdict.ts';

export const whyShape = {
  usage: 'sidescope why [PID | HOST:PORT | pod/NAME] [options]',
  lines: [
    'Says what a Node.js process is doing, also when it is stuck and was never prepared: attaches, opening the',
    'inspector by SIGUSR1 where it is not open, looks for 3 s, prints the answer, and leaves the process as it was.',
    'A pod is looked at from an ephemeral container (`kubectl debug`), as the user of the application.',
    'Without an argument it takes the only Node.js process there is. Run it as the user of the process; it needs no agent.',
    'Exit codes: 0 there is an answer, 1 the process could not be looked at, 2 the command line is wrong.',
  ],
  options: {
    json: { type: 'boolean', meaning: 'Print the answer as one JSON document (one per line with --watch).' },
    watch: {
      type: 'boolean',
      meaning: 'Stay attached and print an answer after the other, until Ctrl-C; not for pods.',
    },
    namespace: {
      type: 'string',
      short: 'n',
      syntax: 'NAME',
      meaning: "The pod's namespace; else that of the context.",
    },
    container: {
      type: 'string',
      short: 'c',
      syntax: 'NAME',
      meaning: "The application's container in the pod; else its default one.",
    },
    pid: { type: 'string', syntax: 'N', meaning: 'The process in that container, when there are several.' },
    user: { type: 'string', syntax: 'UID:GID', meaning: 'The user of the application, where the pod does not say it.' },
    context: { type: 'string', syntax: 'NAME', meaning: 'The context of kubectl; else the current one.' },
    kubectl: { type: 'string', syntax: 'PATH', default: 'kubectl', meaning: 'The kubectl to run.' },
    image: {
      type: 'string',
      syntax: 'IMAGE',
      default: `ghcr.io/sidescope/sidescope:${version}`,
      meaning: 'The image of Sidescope that the ephemeral container runs.',
    },
    exec: {
      type: 'string',
      syntax: 'COMMAND',
      default: '/nodejs/bin/node --disable-sigusr1 /app/agent/main.mjs',
      meaning: 'How Sidescope is called in that image; words are separated by spaces.',
    },
  },
} as const;

const lookMs = 3_000;
/** The whole answer is due in 5 s: what the opening took is missing here. */
const budgetMs = 4_400;
const shortestLookMs = 800;

/** `sidescope why`. */
export async function explainProcess(context: CommandContext): Promise<number> {
  const { values, words, help } = readCommandLine(context.argv, whyShape);
  if (help) {
    context.print(commandHelp(whyShape));
    return 0;
  }
  const target = await parseTarget(words);
  const print = (report: WhyReport): void =>
    context.print(values.json ? `${JSON.stringify(report)}\n` : reportText(report));
  const { signal } = context;
  const run: Run = { print, signal, signalled: new Set(), isWatching: values.watch };
  try {
    if ('pod' in target) await explainPod(podRequest(target.pod, values), run);
    else await ('pid' in target ? explainPid(target.pid, run) : explainAddress(target.address, run));
  } catch (error) {
    if (!signal.aborted) throw error;
    // Ctrl-C is the regular end of --watch; without it there was no answer.
    return values.watch ? 0 : 1;
  }
  return 0;
}

interface Run {
  readonly print: (report: WhyReport) => void;
  readonly signalled: Set<string>;
  readonly signal: AbortSignal;
  readonly isWatching: boolean;
}

async function explainPid(pid: number, run: Run): Promise<void> {
  for (;;) {
    const startMs = performance.now();
    const before = await readUsage(pid);
    let reached: Reached;
    try {
      reached = await reachPid(pid, run);
    } catch (error) {
      // All that /proc has an answer to.
      if (!isSidescopeError(error, 'native-call')) throw error;
      run.print(await reportWithout(pid, { error, before }));
      if (!run.isWatching) return;
      await delay(lookMs, undefined, { signal: run.signal });
      continue;
    }
    return lookThrough(reached, { run, spentMs: performance.now() - startMs });
  }
}

async function explainPod(request: PodRequest, { print, signal, isWatching }: Run): Promise<void> {
  if (isWatching)
    throw new SidescopeError('invalid-option', '--watch is not for pods: each look is a container of its own');
  const report = await explainInPod(request, signal);
  // The pid is that of another namespace than the caller's.
  print({ ...report, next: `sidescope open ${request.pod}   shows the rest, where the agent runs in the pod` });
}

interface PodValues {
  readonly namespace: string | undefined;
  readonly container: string | undefined;
  readonly pid: string | undefined;
  readonly user: string | undefined;
  readonly context: string | undefined;
  readonly kubectl: string;
  readonly image: string;
  readonly exec: string;
}

function podRequest(pod: string, values: PodValues): PodRequest {
  const { kubectl: path, context, namespace, container, image, pid, user } = values;
  if (pid !== undefined && !/^[1-9]\d{0,9}$/.test(pid))
    throw new SidescopeError('invalid-option', `--pid ${JSON.stringify(pid)} is no process id`);
  return {
    kubectl: new Kubectl({ path, context, namespace }),
    pod,
    container,
    image,
    exec: values.exec.split(' ').filter((part) => part !== ''),
    pid: pid === undefined ? undefined : Number(pid),
    user,
  };
}

async function explainAddress(address: string, run: Run): Promise<void> {
  const reached = await reachAddress(address, run.signal);
  return lookThrough(reached, { run, spentMs: 0 });
}

async function lookThrough(reached: Reached, { run, spentMs }: { run: Run; spentMs: number }): Promise<void> {
  const { print, signal } = run;
  let report: WhyReport;
  try {
    if (run.isWatching) for (;;) print(await look(reached, { durationMs: lookMs, signal }));
    report = await look(reached, {
      durationMs: Math.max(shortestLookMs, Math.min(lookMs, budgetMs - spentMs)),
      signal,
    });
  } catch (error) {
    await reached.leave();
    throw error;
  }
  print({ ...report, inspector: await reached.leave() });
}

async function look(
  reached: Reached,
  { durationMs, signal }: { durationMs: number; signal: AbortSignal },
): Promise<WhyReport> {
  const { attachment, facts } = reached;
  const before = facts && (await readUsage(facts.pid));
  const observed = await observe(attachment, { durationMs, signal });
  const observation = facts === undefined ? observed : originalObservation(observed, filesOf(facts, attachment));
  const after = facts && (await readUsage(facts.pid));
  const usage = before && after && usageRates(before, after);
  const verdict = judge(observation, usage);
  const { identity } = attachment;
  const { code, ...rest } = verdict;
  return {
    target: {
      pid: facts?.pid ?? identity.pid,
      command: facts === undefined ? (identity.mainScript ?? identity.title) : commandOf(facts),
      nodeVersion: identity.nodeVersion,
      uptimeMs: Math.max(0, Date.now() - identity.timeOriginMs),
    },
    verdict: code,
    code: null,
    ...rest,
    usage: usage ?? null,
    memory: observation.memory,
    child: null,
    inspector: 'kept',
    warnings: reached.isExposed
      ? [`its inspector at ${reached.address} listens beyond loopback: whoever reaches it can run code in the process`]
      : [],
    next: nextStep({ verdict, usage, memory: observation.memory, target: facts?.pid ?? reached.address }),
  };
}

function filesOf({ pid }: ProcessFacts, { identity }: Attachment): SourceMapContext {
  return { process: { pid, inspectorPort: null, isLocal: true }, startedAtMs: identity.timeOriginMs, mappings: [] };
}

/** What can be said without an inspector. */
async function reportWithout(
  pid: number,
  { error, before }: { error: SidescopeError; before: ProcessUsage | undefined },
): Promise<WhyReport> {
  const facts = await readProcess(pid);
  const { what, isSignalled, closing } = error.details;
  if (before !== undefined) await delay(Math.max(0, before.atMs + measureMs - performance.now()));
  const after = await readUsage(pid);
  const state = await readMainThread(pid);
  const child = state.kind === 'native' ? state.child : null;
  return {
    target: { pid, command: commandOf(facts), nodeVersion: null, uptimeMs: null },
    verdict: 'no-inspector',
    code: error.code,
    text: `blocked: the main thread ${String(what)}`,
    thread: 'main',
    hotspot: null,
    isNearby: false,
    span: null,
    shares: null,
    busyWorkers: [],
    usage: (before && after && usageRates(before, after)) ?? null,
    memory: null,
    child,
    inspector: isSignalled === true ? 'opens-later' : ((closing as ClosingResult | undefined) ?? 'never-opened'),
    warnings: [],
    next: nextStepWithout(pid, child),
  };
}

/** The kernel counts in hundredths of a second. */
const measureMs = 500;

async function parseTarget(words: readonly string[]): Promise<{ pid: number } | { address: string } | { pod: string }> {
  const [word, ...more] = words;
  if (more.length > 0) throw new SidescopeError('invalid-option', `one process at a time\nUsage: ${whyShape.usage}`);
  if (word === undefined) return { pid: await onlyProcess() };
  if (/^[1-9]\d{0,9}$/.test(word)) return { pid: Number(word) };
  if (word.includes(':')) return { address: word };
  if (/^pods?\/[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(word)) return { pod: word.replace(/^pods/, 'pod') };
  throw new SidescopeError(
    'invalid-option',
    `${JSON.stringify(word.slice(0, 100))} is neither a pid nor host:port nor pod/NAME\nUsage: ${whyShape.usage}`,
  );
}

async function onlyProcess(): Promise<number> {
  const found = await findNodeProcesses();
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.pid;
  if (only === undefined)
    throw new SidescopeError('no-such-process', 'no Node.js application runs here that this user may look at');
  const lines = found.slice(0, 20).map((facts) => `  sidescope why ${facts.pid}   ${commandOf(facts)}`);
  throw new SidescopeError(
    'invalid-option',
    [`${found.length} Node.js processes run here; name one:`, ...lines].join('\n'),
  );
}
