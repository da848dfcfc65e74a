import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { pageLink } from '../../protocol/rest/control.ts';
import type { MintedToken } from '../../protocol/rest/control.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { openBrowser } from './browser.ts';
import { commandHelp, readCommandLine } from './command-line.ts';
import type { CommandContext } from './command.ts';
import { agentInPodOptions, agentsInPods } from './agent-in-pod.ts';
import { mintInPod } from './mint-in-pod.ts';
import type { AgentContainer } from './mint-in-pod.ts';
import { PortForward } from './port-forward.ts';

export const openShape = {
  usage: 'sidescope open pod/NAME [-n NAMESPACE] [options]',
  lines: [
    'Opens the page of the agent in a pod: forwards a local port to it, gets a token of one hour, and',
    'opens the browser. Keeps the port until Ctrl-C, through restarts of the agent and cut connections.',
    'Needs kubectl, and a role with `create` on `pods/exec` and `pods/portforward`.',
  ],
  options: {
    ...agentInPodOptions,
    port: { type: 'string', syntax: 'PORT', default: '0', meaning: 'Local port; 0 picks a free one.' },
    'no-browser': { type: 'boolean', meaning: 'Print the link and open nothing.' },
  },
} as const;

interface Request extends AgentContainer {
  readonly localPort: number;
}

/** How often the way to the agent is tried while nothing happens. */
const checkPauseMs = 5_000;
const checkDeadlineMs = 5_000;
const longestPauseMs = 30_000;

/** `sidescope open`. */
export async function openPod(context: CommandContext): Promise<number> {
  const { values, words, help } = readCommandLine(context.argv, openShape);
  if (help) {
    context.print(commandHelp(openShape));
    return 0;
  }
  const request: Request = {
    ...agentsInPods(values),
    pod: podOf(words),
    localPort: portOf(values.port),
  };
  try {
    await keepOpen(request, { context, opensBrowser: !values['no-browser'] });
  } catch (error) {
    if (!context.signal.aborted) throw error;
  }
  context.say('\n');
  return 0;
}

/** Resolves never; rejects with the signal's reason, or with what cannot be repaired by trying again. */
async function keepOpen(
  request: Request,
  { context, opensBrowser }: { context: CommandContext; opensBrowser: boolean },
): Promise<void> {
  const { signal, say, print, platform } = context;
  let minted = await mintInPod(request, signal);
  await using stack = new AsyncDisposableStack();
  let forward = await forwardTo(request, { minted, localPort: request.localPort, signal });
  stack.defer(() => forward[Symbol.asyncDispose]());
  const { localPort } = forward;
  const show = (): string => {
    const link = pageLink(`http://127.0.0.1:${localPort}`, minted.token);
    print(`${link}\n`);
    return link;
  };
  say(`${request.pod}: sidescope ${minted.agent.version}. Ctrl-C ends the connection.\n`);
  const link = show();
  const problem = opensBrowser ? await openBrowser(link, { platform, signal }) : undefined;
  if (problem !== undefined) say(`${problem}: open the link above.\n`);

  for (let failures = 0; ;) {
    await (failures === 0 ? untilGone(forward, { signal }) : delay(pauseMs(failures), undefined, { signal }));
    const state = forward.isGone ? 'unreachable' : await check(localPort, minted.token);
    signal.throwIfAborted();
    if (state === 'reached') {
      if (failures > 0) say('connected again\n');
      failures = 0;
      continue;
    }
    failures += 1;
    try {
      if (state === 'unreachable') {
        if (failures === 1) say(`the connection was lost${reasonOf(forward)}; connecting again …\n`);
        await forward[Symbol.asyncDispose]();
        forward = await forwardTo(request, { minted, localPort, signal });
      } else {
        minted = await mintInPod(request, signal);
        say('the token has ended, or the agent was restarted; the new link:\n');
        show();
      }
    } catch (error) {
      if (!isSidescopeError(error, 'kubectl-failed') || error.details['isFinal'] === true) throw error;
      say(`${error.message}\n`);
    }
  }
}

/** The port is looked at now and then: a forward can hang without ending. */
async function untilGone(forward: PortForward, { signal }: { signal: AbortSignal }): Promise<void> {
  const gone = new AbortController();
  const pause = delay(checkPauseMs, undefined, { signal: AbortSignal.any([signal, gone.signal]) });
  try {
    await Promise.race([forward.ended, pause]);
  } finally {
    gone.abort();
  }
}

function pauseMs(failures: number): number {
  return Math.min(longestPauseMs, 250 * 2 ** failures);
}

async function forwardTo(
  { kubectl, pod }: Request,
  { minted, localPort, signal }: { minted: MintedToken; localPort: number; signal: AbortSignal },
): Promise<PortForward> {
  const { admin } = minted.agent;
  if (admin === null) {
    throw new SidescopeError(
      'no-agent',
      `the admin port of the agent in ${pod} is taken: there is no page; its log says which port`,
    );
  }
  return PortForward.open(kubectl, { pod, remotePort: admin.port, localPort, signal });
}

async function check(localPort: number, token: string): Promise<'reached' | 'refused' | 'unreachable'> {
  try {
    const response = await fetch(`http://127.0.0.1:${localPort}${apiPath}/info`, {
      headers: { authorization: `Bearer ${token}`, connection: 'close' },
      redirect: 'error',
      signal: AbortSignal.timeout(checkDeadlineMs),
    });
    await response.body?.cancel();
    return response.status === 401 ? 'refused' : 'reached';
  } catch {
    // Whatever it was: the forward is made anew, and that tells what is wrong.
    return 'unreachable';
  }
}

function reasonOf({ lastWords }: PortForward): string {
  return lastWords === '' ? '' : ` (${lastWords})`;
}

function podOf(words: readonly string[]): string {
  const [word = '', ...more] = words;
  const name = /^(?:pods?\/)?([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/.exec(word)?.[1];
  if (name !== undefined && more.length === 0) return `pod/${name}`;
  const seen = words.length === 0 ? 'none is named' : `not ${JSON.stringify(words.join(' '))}`;
  throw new SidescopeError('invalid-option', `one pod by its name, as pod/NAME; ${seen}\nUsage: ${openShape.usage}`);
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Infinity;
  if (port <= 65_535) return port;
  throw new SidescopeError('invalid-option', `--port ${JSON.stringify(text)} is no port`);
}
