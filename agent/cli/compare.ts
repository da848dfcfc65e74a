import { SidescopeError } from '../../protocol/error.ts';
import { commandHelp, readCommandLine } from './command-line.ts';
import type { CommandContext } from './command.ts';
import { parseDuration } from './duration.ts';
import { chooseShare } from './fleet/choose.ts';
import { compareSides } from './fleet/compare-sides.ts';
import { comparisonText } from './fleet/comparison-text.ts';
import type { CompareReport, SideReport } from './fleet/comparison-text.ts';
import { PodAgent } from './fleet/pod-agent.ts';
import { reasonOf } from './fleet/read-state.ts';
import { findRollout } from './fleet/rollout.ts';
import type { Side } from './fleet/rollout.ts';
import { samplePod } from './fleet/sample-pod.ts';
import type { PodSample } from './fleet/sample-pod.ts';
import { fleetAccess, fleetOptions, parseSelection } from './fleet/selection.ts';
import type { FleetAccess } from './fleet/selection.ts';
import { interruptible } from './interruptible.ts';
import { parseLimit } from './operands.ts';

const { selector: _selector, 'at-once': _atOnce, ...reachOptions } = fleetOptions;

export const compareShape = {
  usage: 'sidescope compare deploy/NAME [options]',
  lines: [
    'Compares the old and the new version of a Deployment while it rolls out: profiles pods of both ReplicaSets at the same time, and',
    'tells what differs by function, by route (p50, p95) and in memory, under the same traffic.',
    'A function is marked + or - when it changed beyond the noise of sampling, and in every new pod against every old one.',
    'Exit codes: 0 both versions were compared, 1 they could not be, 2 the command line is wrong.',
  ],
  options: {
    ...reachOptions,
    duration: {
      type: 'string',
      syntax: 'DURATION',
      default: '30s',
      meaning: 'How long each pod is profiled, 1s to 15m.',
    },
    pods: { type: 'string', syntax: 'N', default: '3', meaning: 'How many pods of each version, at most, 1 to 20.' },
    limit: { type: 'string', syntax: 'N', default: '20', meaning: 'How many functions and routes are shown.' },
    json: { type: 'boolean', meaning: 'Print one JSON document.' },
  },
} as const;

/** `sidescope compare`. */
export async function compareVersions(context: CommandContext): Promise<number> {
  const { values, words, help } = readCommandLine(context.argv, compareShape);
  if (help) {
    context.print(commandHelp(compareShape));
    return 0;
  }
  const { workload = '' } = parseSelection(words, { selector: undefined, usage: compareShape.usage });
  if (!workload.startsWith('deployment/'))
    throw new SidescopeError(
      'invalid-option',
      `${workload} has no ReplicaSets: only a Deployment\nUsage: ${compareShape.usage}`,
    );
  const access = fleetAccess({ ...values, selector: undefined, 'at-once': '1' });
  const durationMs = parseDuration(values.duration, { flag: '--duration', min: '1s', max: '15m' });
  const podsMax = /^([1-9]|1\d|20)$/.test(values.pods) ? Number(values.pods) : undefined;
  if (podsMax === undefined)
    throw new SidescopeError('invalid-option', `--pods ${JSON.stringify(values.pods)} is no count from 1 to 20`);
  const limit = parseLimit(values.limit);
  return interruptible(context.signal, async () => {
    const report = await compare(workload, { access, durationMs, podsMax, limit, context });
    context.print(values.json ? `${JSON.stringify(report)}\n` : comparisonText(report, limit));
    return 0;
  });
}

interface Comparing {
  readonly access: FleetAccess;
  readonly durationMs: number;
  readonly podsMax: number;
  readonly limit: number;
  readonly context: CommandContext;
}

async function compare(workload: string, plan: Comparing): Promise<CompareReport> {
  const { access, durationMs, podsMax, limit, context } = plan;
  const { signal } = context;
  const rollout = await findRollout(workload, { ...access, signal });
  const [old, now] = [rollout.old, rollout.now].map((side) => chosen(side, podsMax)) as [Side, Side];
  context.say(
    `${workload}: ${old.pods.length} pods of revision ${old.set.revision} and ${now.pods.length} of ${now.set.revision}, ${durationMs / 1_000} s each; Ctrl-C stops\n`,
  );
  await using stack = new AsyncDisposableStack();
  // Each is reached before the first is started, so that they are sampled at the same time.
  const ways = await Promise.all(
    [old, now].flatMap((side) =>
      side.pods.map(async (pod) => ({ side, pod, way: await reach(pod.name, { access, signal }) })),
    ),
  );
  for (const { way } of ways) if (way instanceof PodAgent) stack.use(way);
  const results = await Promise.all(
    ways.map(async ({ side, pod, way }) => {
      if (!(way instanceof PodAgent)) return { side, pod, failure: way };
      try {
        return { side, pod, sample: await samplePod(way, { pod, durationMs, signal }) };
      } catch (error) {
        signal.throwIfAborted();
        return { side, pod, failure: reasonOf(error, pod.name) };
      }
    }),
  );
  const failures = results.flatMap(({ pod, failure }) => (failure === undefined ? [] : [`${pod.name}: ${failure}`]));
  const samplesOf = (side: Side): PodSample[] =>
    results.flatMap(({ side: its, sample }) => (its === side && sample !== undefined ? [sample] : []));
  const [before, after] = [samplesOf(old), samplesOf(now)];
  if (before.length === 0 || after.length === 0) {
    const which = before.length === 0 ? 'old' : 'new';
    throw new SidescopeError(
      'nothing-to-compare',
      `no pod of the ${which} version gave a profile: ${failures.join('; ')}`,
    );
  }
  const comparison = compareSides(before, after, limit);
  return {
    workload,
    durationMs,
    before: sideReport(old, before),
    after: sideReport(now, after),
    ...comparison,
    warnings: [...failures, ...comparison.warnings],
  };
}

/** By the hash of their uid: the same pods each time. */
function chosen(side: Side, podsMax: number): Side {
  const share = Math.min(1, podsMax / side.pods.length);
  return { ...side, pods: chooseShare(side.pods, share) };
}

async function reach(
  pod: string,
  { access, signal }: { access: FleetAccess; signal: AbortSignal },
): Promise<PodAgent | string> {
  try {
    return await PodAgent.open(pod, { access, signal });
  } catch (error) {
    signal.throwIfAborted();
    return reasonOf(error, pod);
  }
}

function sideReport({ set }: Side, samples: readonly PodSample[]): SideReport {
  return {
    revision: set.revision,
    replicaSet: set.name,
    version: set.version,
    pods: samples.map(({ pod }) => pod.name),
  };
}
