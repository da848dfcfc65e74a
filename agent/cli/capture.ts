import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import { PprofMerger } from '../../protocol/cpu-profile/merge-pprof.ts';
import type { PprofLabels } from '../../protocol/cpu-profile/merge-pprof.ts';
import { joinLines, sizeText, textTable } from '../../protocol/text-table/table.ts';
import { commandHelp, readCommandLine } from './command-line.ts';
import type { CommandContext } from './command.ts';
import { parseDuration } from './duration.ts';
import { captureTarget, captureTargets } from './fleet/capture-target.ts';
import type { CaptureRequest } from './fleet/capture-target.ts';
import { chooseShare, parseShare, placeOf } from './fleet/choose.ts';
import { each } from './fleet/each.ts';
import type { FleetPod } from './fleet/kubernetes-objects.ts';
import { checkOutput, usualOutput, writeOutput } from './fleet/output-file.ts';
import { PodAgent } from './fleet/pod-agent.ts';
import { reasonOf } from './fleet/read-state.ts';
import { atOnce, findPods, fleetAccess, fleetOptions, parseSelection } from './fleet/selection.ts';
import type { FleetAccess } from './fleet/selection.ts';
import { interruptible } from './interruptible.ts';

export const captureShape = {
  usage: 'sidescope capture -l LABELS | KIND/NAME [options]',
  lines: [
    'Profiles many pods and writes one pprof file, in which every sample has its pod, namespace, node and version as labels',
    '(`go tool pprof -tagfocus pod=NAME FILE`), and prints one row per pod. Ctrl-C stops what runs and writes what there is.',
    'Which pods are asked goes by a hash of their uid: the same ones every time, spread over the fleet.',
    'Exit codes: 0 every pod asked gave its profile, 1 some or none did, 2 the command line is wrong.',
  ],
  options: {
    ...fleetOptions,
    output: {
      type: 'string',
      short: 'o',
      syntax: 'FILE',
      meaning: 'The file to write, gzipped pprof; else sidescope-TIME.pb.gz in the working directory.',
    },
    kind: {
      type: 'string',
      syntax: 'KIND',
      default: 'cpu',
      meaning: 'cpu, or heap-sampling: what is allocated and lives.',
    },
    duration: {
      type: 'string',
      syntax: 'DURATION',
      default: '30s',
      meaning: 'How long each pod is sampled, 1s to 15m.',
    },
    share: {
      type: 'string',
      syntax: 'SHARE',
      default: '100%',
      meaning: 'How many of the pods that have the agent; rounded up.',
    },
    jitter: {
      type: 'string',
      syntax: 'DURATION',
      default: '5s',
      meaning: 'Pods begin spread over so much time, each at its own moment; 0s: all at once.',
    },
    json: { type: 'boolean', meaning: 'Print the rows as one JSON document.' },
  },
} as const;

interface Row {
  readonly pod: string;
  readonly version: string;
  readonly node: string;
  readonly result: 'captured' | 'partial' | 'failed' | 'cancelled' | 'not chosen' | 'skipped';
  /** Of CPU profiles. */
  readonly samples: number | null;
  readonly sizeBytes: number | null;
  readonly reason: string;
}

interface Plan {
  readonly access: FleetAccess;
  readonly request: CaptureRequest;
  readonly jitterMs: number;
  readonly merger: PprofMerger;
  readonly signal: AbortSignal;
}

/** `sidescope capture`. */
export async function captureFleet(context: CommandContext): Promise<number> {
  const { values, words, help } = readCommandLine(context.argv, captureShape);
  if (help) {
    context.print(commandHelp(captureShape));
    return 0;
  }
  const selection = parseSelection(words, { selector: values.selector, usage: captureShape.usage });
  const { output = usualOutput(new Date()), kind } = values;
  if (kind !== 'cpu' && kind !== 'heap-sampling')
    throw new SidescopeError('invalid-option', `--kind ${JSON.stringify(kind)} is neither cpu nor heap-sampling`);
  const durationMs = parseDuration(values.duration, { flag: '--duration', min: '1s', max: '15m' });
  const plan: Plan = {
    access: fleetAccess(values),
    request: { kind, durationMs, download: 'format=pprof' },
    jitterMs: parseDuration(values.jitter, { flag: '--jitter', min: '0s', max: '15m' }),
    merger: new PprofMerger(),
    signal: context.signal,
  };
  const [share, count] = [parseShare(values.share), atOnce(values)];

  return interruptible(context.signal, async () => {
    await checkOutput(output);
    const pods = await findPods(selection, { ...plan.access, signal: plan.signal });
    const able = pods.filter(({ sidecar, phase }) => sidecar.state === 'running' && phase !== 'Terminating');
    if (able.length === 0) {
      const reasons = [
        ...new Set(pods.map(({ sidecar, phase }) => (sidecar.state === 'running' ? phase : sidecar.reason))),
      ];
      throw new SidescopeError(
        'no-pods',
        `none of the ${pods.length} pods of ${selection.text} can be asked: ${reasons.join('; ')}`,
      );
    }
    const chosen = new Set(chooseShare(able, share));
    context.say(`${chosen.size} of ${pods.length} pods, ${durationMs / 1_000} s each; Ctrl-C stops\n`);
    const asked = await each([...chosen], count, (pod) => capturePod(pod, plan));
    const rows = [...asked.flat(), ...pods.filter((pod) => !chosen.has(pod)).map(notAsked)].toSorted((a, b) =>
      a.pod < b.pod ? -1 : 1,
    );
    const sizeBytes = plan.merger.files === 0 ? null : await writeOutput(output, plan.merger.finish());
    const file = sizeBytes === null ? null : { path: output, sizeBytes, profiles: plan.merger.files };
    context.print(values.json ? `${JSON.stringify({ file, pods: rows })}\n` : rowsText(rows, file));
    return asked.flat().every(({ result }) => result === 'captured') ? 0 : 1;
  });
}

async function capturePod(pod: FleetPod, plan: Plan): Promise<Row[]> {
  const { access, request, jitterMs, merger, signal } = plan;
  const row = { pod: pod.name, version: pod.version, node: pod.node };
  const nothing = { ...row, samples: null, sizeBytes: null };
  try {
    await delay(jitterMs * placeOf(pod.uid, 'time'), undefined, { signal });
    await using agent = await PodAgent.open(pod.name, { access, signal });
    const targets = await captureTargets(agent, signal);
    return await each(targets, targets.length, async (target): Promise<Row> => {
      try {
        const { bytes, operation } = await captureTarget(agent, { ...request, target: target.id, signal });
        const labels = { ...labelsOf(pod), ...(targets.length > 1 && { target: target.name }) };
        const sum = merger.add(bytes, labels);
        const samples = request.kind === 'cpu' ? sum : null;
        const isWhole = operation.state === 'succeeded';
        const reason = isWhole ? '' : (operation.error?.message ?? operation.state);
        return { ...row, result: isWhole ? 'captured' : 'partial', samples, sizeBytes: bytes.length, reason };
      } catch (error) {
        return { ...nothing, ...failure(error, { pod, signal }) };
      }
    });
  } catch (error) {
    return [{ ...nothing, ...failure(error, { pod, signal }) }];
  }
}

function failure(
  error: unknown,
  { pod, signal }: { pod: FleetPod; signal: AbortSignal },
): Pick<Row, 'result' | 'reason'> {
  if (signal.aborted) return { result: 'cancelled', reason: 'stopped by Ctrl-C' };
  return { result: 'failed', reason: reasonOf(error, pod.name) };
}

function labelsOf({ name, namespace, node, version }: FleetPod): PprofLabels {
  const labels = { pod: name, namespace, node, version };
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ''));
}

function notAsked({ name, version, node, sidecar, phase }: FleetPod): Row {
  const able = sidecar.state === 'running' && phase !== 'Terminating';
  const reason = able ? '' : sidecar.state === 'running' ? phase : sidecar.reason;
  return { pod: name, version, node, result: able ? 'not chosen' : 'skipped', samples: null, sizeBytes: null, reason };
}

function rowsText(rows: readonly Row[], file: { path: string; sizeBytes: number; profiles: number } | null): string {
  return joinLines([
    ...textTable(rows, {
      pod: ({ pod }) => pod,
      version: ({ version }) => version || '-',
      node: ({ node }) => node || '-',
      result: ({ result }) => result,
      samples: ({ samples }) => (samples === null ? '-' : String(samples)),
      plain: ({ sizeBytes }) => (sizeBytes === null ? '-' : sizeText(sizeBytes)),
      reason: ({ reason }) => reason,
    }),
    '',
    file === null
      ? 'Nothing was captured, no file was written.'
      : `${file.path}: ${file.profiles} ${file.profiles === 1 ? 'profile' : 'profiles'}, ${sizeText(file.sizeBytes)}`,
  ]);
}
