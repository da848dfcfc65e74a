import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { ClosingResult } from '../attach/close-inspector.ts';
import { containerOf } from '../attach/container.ts';
import { readMainThread } from '../attach/main-thread.ts';
import { findNodeProcesses } from '../attach/node-processes.ts';
import { commandOf, readProcess } from '../attach/process.ts';
import { valueTypes } from '../options/value-types.ts';
import type { SourceMapContext } from '../source-maps/find-positions.ts';
import type { PathMapping } from '../source-maps/target-files.ts';
import { commandHelp, readCommandLine } from './command-line.ts';
import type { CommandContext } from './command.ts';
import { version } from '../version.ts';
import { atOnce, fleetAccess, fleetOptions, parseSelection } from './fleet/selection.ts';
import { Kubectl } from './kubectl.ts';
import { observe } from './why/observe.ts';
import type { FirstQuestions } from './why/observe.ts';
import { explainInPod } from './why/pod.ts';
import type { PodRequest } from './why/pod.ts';
import { originalObservation } from './why/originals.ts';
import { readUsage, usageRates } from './why/process-usage.ts';
import type { ProcessUsage } from './why/process-usage.ts';
import { reachAddress, reachPid } from './why/reach.ts';
import type { Reached, Silent } from './why/reach.ts';
import { nextStep, nextStepWithout, reportText } from './why/report.ts';
import type { WhyReport } from './why/report.ts';
import { AnswerTime, lookFrom, within } from './why/schedule.ts';
import { judge } from './why/verdict.ts';

export const whyShape = {
  usage: 'sidescope why [PID | HOST:PORT | pod/NAME | -l LABELS | KIND/NAME] [options]',
  lines: [
    'Says what a Node.js process is doing, also when it is stuck and was never prepared: attaches, opening the',
    'inspector by SIGUSR1 where it is not open, looks for 3 s, prints the answer, and leaves the process as it was.',
    'A pod is looked at from an ephemeral container (`kubectl debug`), as the user of the application.',
    'With -l app=shop, or deploy/shop, it prints one line for each pod from what its agent knows already, the stuck ones first.',
    'Without an argument it takes the only Node.js process there is. Run it as the user of the process; it needs no agent.',
    'Exit codes: 0 there is an answer, 1 the process could not be looked at, 2 the command line is wrong.',
  ],
  options: {
    ...fleetOptions,
    json: { type: 'boolean', meaning: 'Print the answer as one JSON document (one per line with --watch).' },
    watch: {
      type: 'boolean',
      meaning: 'Stay attached and print an answer after the other, until Ctrl-C; not for pods.',
    },
    'source-map-path': {
      type: 'string',
      repeatable: true,
      syntax: 'FROM=TO',
      meaning:
        "Where a directory of the process is mounted here, for its source maps: `/app=/mnt/app`. Without it the process's own root is read.",
    },
    container: {
      type: 'string',
      short: 'c',
      syntax: 'NAME',
      meaning:
        "Of pod/NAME: the application's container, else its default one. Of many pods: the agent's, else sidescope.",
    },
    pid: { type: 'string', syntax: 'N', meaning: 'The process in that container, when there are several.' },
    user: { type: 'string', syntax: 'UID:GID', meaning: 'The user of the application, where the pod does not say it.' },
    image: {
      type: 'string',
      syntax: 'IMAGE',
      default: `ghcr.io/sidescope/sidescope:${version}`,
      meaning: 'The image of Sidescope that the ephemeral container runs.',
    },
    exec: {
      type: 'string',
      syntax: 'COMMAND',
      meaning:
        "How Sidescope is called: in that image, else `/nodejs/bin/node --disable-sigusr1 /app/agent/main.mjs`; of many pods in the agent's container, else `sidescope`. Words are separated by spaces.",
    },
  },
} as const;

/** `sidescope why`. */
export async function explainProcess(context: CommandContext): Promise<number> {
  const { values, words, help } = readCommandLine(context.argv, whyShape);
  if (help) {
    context.print(commandHelp(whyShape));
    return 0;
  }
  if (values.selector !== undefined || isWorkload(words[0] ?? '')) return explainPods(context, { values, words });
  const target = await parseTarget(words);
  const print = (report: WhyReport): void =>
    context.print(values.json ? `${JSON.stringify(report)}\n` : reportText(report));
  const { signal, say } = context;
  const mappings = parseMappings(values['source-map-path']);
  const run: Run = { print, say, signal, signalled: new Set(), isWatching: values.watch, mappings };
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

const execInImage = '/nodejs/bin/node --disable-sigusr1 /app/agent/main.mjs';

type WhyValues = ReturnType<typeof readCommandLine<typeof whyShape.options>>['values'];

/** `deploy/shop`; a pod is looked into by itself. */
function isWorkload(word: string): boolean {
  return /^[a-z]+\/[a-z0-9]/.test(word) && !/^pods?\//.test(word);
}

async function explainPods(
  context: CommandContext,
  { values, words }: { values: WhyValues; words: readonly string[] },
): Promise<number> {
  for (const [flag, isSet] of [
    ['--watch', values.watch],
    ['--source-map-path', values['source-map-path'].length > 0],
    ['--pid', values.pid !== undefined],
    ['--user', values.user !== undefined],
  ] as const)
    if (isSet) throw new SidescopeError('invalid-option', `${flag} is for one process, not for many pods`);
  const selection = parseSelection(words, { selector: values.selector, usage: whyShape.usage });
  const fleet = { ...values, container: values.container ?? 'sidescope', exec: values.exec ?? 'sidescope' };
  const question = { selection, access: fleetAccess(fleet), atOnce: atOnce(fleet), isJson: values.json };
  const { explainFleet } = await import('./fleet/why-fleet.ts');
  return explainFleet(question, context);
}

interface Run {
  readonly print: (report: WhyReport) => void;
  readonly say: (text: string) => void;
  readonly mappings: readonly PathMapping[];
  readonly signalled: Set<string>;
  readonly signal: AbortSignal;
  readonly isWatching: boolean;
}

async function explainPid(pid: number, run: Run): Promise<void> {
  for (;;) {
    const time = new AnswerTime(pid);
    const before = await readUsage(pid);
    let reached: Reached | Silent;
    try {
      reached = await reachPid(pid, { ...run, time });
    } catch (error) {
      // All that /proc has an answer to.
      if (!isSidescopeError(error, 'native-call')) throw error;
      const { what, isSignalled } = error.details;
      const inspector = isSignalled === true ? 'opens-later' : 'never-opened';
      run.print(await reportWithout(pid, { what: String(what), inspector, before }));
      if (!run.isWatching) return;
      await delay(watchPauseMs, undefined, { signal: run.signal });
      continue;
    }
    if (!reached.isSilent) return lookThrough(reached, { run, time });
    const print = async (inspector: ClosingResult): Promise<void> =>
      run.print(await reportWithout(pid, { what: 'answers nothing: it is in a native call', inspector, before }));
    await printThen(reached, { print, run, time });
    if (!run.isWatching) return;
  }
}

/** Prints what leaving has come to, in time; a target in a native call is left when that returns. */
async function printThen(
  { closing, isOurs }: Pick<Silent, 'closing' | 'isOurs'>,
  { print, run, time }: { print: (result: ClosingResult) => unknown; run: Run; time: AnswerTime },
): Promise<void> {
  const { printedByMs } = await time.schedule();
  const seen = await within(
    closing,
    isOurs ? 'no-answer' : 'not-ours',
    Math.max(printedByMs, performance.now() + shortestLeaveMs),
  );
  await print(seen);
  if ((await closing) === 'foreign-client' && seen !== 'foreign-client')
    run.say('sidescope: its inspector was left open, as another client is connected to it by now\n');
}

/** Idle, it takes 15 ms. */
const shortestLeaveMs = 250;

async function explainPod(request: PodRequest, { print, signal, isWatching, mappings }: Run): Promise<void> {
  if (mappings.length > 0)
    throw new SidescopeError(
      'invalid-option',
      "--source-map-path is not for pods: source maps are read in the application's own container",
    );
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
  readonly exec: string | undefined;
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
    exec: (values.exec ?? execInImage).split(' ').filter((part) => part !== ''),
    pid: pid === undefined ? undefined : Number(pid),
    user,
  };
}

async function explainAddress(address: string, run: Run): Promise<void> {
  const time = new AnswerTime();
  const reached = await reachAddress(address, { ...run, time });
  return lookThrough(reached, { run, time });
}

async function lookThrough(reached: Reached, { run, time }: { run: Run; time: AnswerTime }): Promise<void> {
  let report: WhyReport;
  try {
    report = await look(reached, { time, run, first: reached.first });
    while (run.isWatching) {
      run.print(report);
      report = await look(reached, { time: new AnswerTime(reached.facts?.pid), run, first: undefined });
    }
  } catch (error) {
    await reached.leave();
    throw error;
  }
  const print = (inspector: ClosingResult): void => run.print({ ...report, inspector });
  await printThen({ closing: reached.leave(), isOurs: reached.isOurs }, { print, run, time });
}

interface Look {
  readonly time: AnswerTime;
  readonly run: Run;
  /** Undefined when they were for an earlier look. */
  readonly first: FirstQuestions | undefined;
}

async function look(reached: Reached, { time, run, first }: Look): Promise<WhyReport> {
  const { attachment, facts } = reached;
  const before = facts && (await readUsage(facts.pid));
  const window = { ...lookFrom(performance.now(), await time.schedule()), signal: run.signal };
  const observed = await observe(attachment, window, first);
  const files = filesOf(reached, run.mappings);
  const observation = files === undefined ? observed : originalObservation(observed, files);
  const after = facts && (await readUsage(facts.pid));
  const usage = before && after && usageRates(before, after);
  const verdict = judge(observation, usage);
  const { identity } = attachment;
  const { code, ...rest } = verdict;
  return {
    target: {
      pid: facts?.pid ?? identity.pid,
      command: facts === undefined ? (identity.mainScript ?? identity.title) : commandOf(facts),
      container: facts === undefined ? null : await containerOf(facts.pid),
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
    next: nextStep({
      verdict,
      usage,
      memory: observation.memory,
      target: facts?.pid ?? reached.address,
      isWatching: run.isWatching,
    }),
  };
}

/** Of a process that is not to be seen here only what is mounted. */
function filesOf({ attachment, facts }: Reached, mappings: readonly PathMapping[]): SourceMapContext | undefined {
  const { pid, timeOriginMs: startedAtMs } = attachment.identity;
  if (facts !== undefined)
    return { process: { pid: facts.pid, inspectorPort: null, isLocal: true }, startedAtMs, mappings };
  return mappings.length === 0
    ? undefined
    : { process: { pid, inspectorPort: null, isLocal: false }, startedAtMs, mappings };
}

interface Without {
  /** Of the main thread. */
  readonly what: string;
  readonly inspector: WhyReport['inspector'];
  readonly before: ProcessUsage | undefined;
}

/** What can be said without an inspector. */
async function reportWithout(pid: number, { what, inspector, before }: Without): Promise<WhyReport> {
  const facts = await readProcess(pid);
  if (before !== undefined) await delay(Math.max(0, before.atMs + measureMs - performance.now()));
  const after = await readUsage(pid);
  const state = await readMainThread(pid);
  const child = state.kind === 'native' ? state.child : null;
  // In a call that lasts it is by now, and this reading knows more of it than that nothing was answered.
  const doing = state.kind === 'native' ? state.what : what;
  return {
    target: { pid, command: commandOf(facts), container: await containerOf(pid), nodeVersion: null, uptimeMs: null },
    verdict: 'no-inspector',
    code: 'native-call',
    text: `blocked: the main thread ${doing}`,
    thread: 'main',
    hotspot: null,
    isNearby: false,
    span: null,
    shares: null,
    busyWorkers: [],
    usage: (before && after && usageRates(before, after)) ?? null,
    memory: null,
    child,
    inspector,
    warnings: [],
    next: nextStepWithout(pid, child),
  };
}

/** The kernel counts in hundredths of a second. */
const measureMs = 500;
const watchPauseMs = 3_000;

function parseMappings(texts: readonly string[]): PathMapping[] {
  return texts.map((text) => {
    const parsed = valueTypes['path-mapping'].parse(text);
    if ('value' in parsed) return parsed.value;
    throw new SidescopeError('invalid-option', `--source-map-path ${JSON.stringify(text)} ${parsed.problem}`);
  });
}

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
  const lines = await Promise.all(
    found.slice(0, 20).map(async (facts) => {
      const container = await containerOf(facts.pid);
      const where = container === null ? '' : `   container ${container}`;
      return `  sidescope why ${facts.pid}   ${commandOf(facts)}${where}`;
    }),
  );
  throw new SidescopeError(
    'invalid-option',
    [`${found.length} Node.js processes run here; name one:`, ...lines].join('\n'),
  );
}
