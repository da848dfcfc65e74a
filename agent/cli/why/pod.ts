import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { SidescopeError } from '../../../protocol/error.ts';
import type { Kubectl } from '../kubectl.ts';
import type { WhyReport } from './report.ts';

export interface PodRequest {
  readonly kubectl: Kubectl;
  /** `pod/NAME`. */
  readonly pod: string;
  /** The application's; else the pod's default one. */
  readonly container: string | undefined;
  readonly image: string;
  /** The words that call `sidescope` in the image. */
  readonly exec: readonly string[];
  /** Of the application in its own container; else the only Node process there. */
  readonly pid: number | undefined;
  /** `UID:GID`, where the pod does not say it. */
  readonly user: string | undefined;
}

/** The image may have to be pulled first. */
const deadlineMs = 120_000;
const pollMs = 500;

/**
 * Runs `sidescope why` in an ephemeral container of the pod, in the process namespace and as the user of the application, and gives its answer. The pod keeps the
 * entry of that container, which has ended: Kubernetes cannot remove it. Rejects with `kubectl-failed`, `debug-container-failed`, `invalid-option`.
 */
export async function explainInPod(request: PodRequest, signal: AbortSignal): Promise<WhyReport> {
  const { kubectl, pod } = request;
  const seen = readPod(await kubectl.run(['get', pod, '-o', 'json'], { doing: `${pod}: looking at it`, signal }));
  const application = chooseContainer(seen, request);
  const [uid, gid] =
    request.user === undefined ? await userOf(seen, { application, request, signal }) : parseUser(request.user);
  const container = `sidescope-why-${randomBytes(4).toString('hex')}`;
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-why-'));
  try {
    const profile = join(folder, 'profile.json');
    await writeFile(
      profile,
      JSON.stringify({ securityContext: { runAsUser: uid, runAsGroup: gid, runAsNonRoot: uid !== 0 } }),
    );
    const words = [...request.exec, 'why', ...(request.pid === undefined ? [] : [String(request.pid)]), '--json'];
    await kubectl.run(
      [
        ...['debug', pod, `--image=${request.image}`, `--target=${application}`, `--container=${container}`],
        // "restricted" refuses the user 0, which the application has then itself.
        ...[`--profile=${uid === 0 ? 'baseline' : 'restricted'}`, `--custom=${profile}`, '--attach=false', '--quiet'],
        ...['--', ...words],
      ],
      { doing: `${pod}: adding a debug container`, signal },
    );
  } finally {
    await rm(folder, { recursive: true });
  }
  return await answerOf(request, { container, signal });
}

async function answerOf(
  { kubectl, pod }: PodRequest,
  { container, signal }: { container: string; signal: AbortSignal },
): Promise<WhyReport> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const doing = `${pod}: waiting for ${container}`;
    const { status } = readPod(await kubectl.run(['get', pod, '-o', 'json'], { doing, signal }));
    const state = status.ephemeralContainerStatuses.find(({ name }) => name === container)?.state;
    if (state?.terminated !== undefined) {
      const printed = await kubectl.run(['logs', pod, `--container=${container}`], { doing, signal });
      return parseAnswer(printed, pod);
    }
    if (performance.now() > endMs) {
      const reason = [state?.waiting?.reason, state?.waiting?.message].filter((text) => text !== undefined).join(': ');
      throw new SidescopeError(
        'debug-container-failed',
        `${pod}: the container ${container} gave no answer in ${deadlineMs / 1000} s${reason === '' ? '' : ` (${reason.slice(0, 300)})`}`,
      );
    }
    await delay(pollMs, undefined, { signal });
  }
}

function parseAnswer(printed: string, pod: string): WhyReport {
  const line = printed.split('\n').findLast((each) => each.startsWith('{"target":'));
  if (line !== undefined) {
    try {
      // Printed by this same version of ours, as the image's tag says.
      return JSON.parse(line) as WhyReport;
    } catch {
      // Cut off: what there is of it is shown below.
    }
  }
  const said = printed.trim().split('\n').slice(-8).join('\n').slice(-1_000);
  throw new SidescopeError(
    'debug-container-failed',
    `${pod}: ${said === '' ? 'the debug container printed nothing' : said}`,
  );
}

const contextSchema = z.object({ runAsUser: z.int().optional(), runAsGroup: z.int().optional() });
const stateSchema = z.object({
  terminated: z.object({}).optional(),
  waiting: z.object({ reason: z.string().optional(), message: z.string().optional() }).optional(),
});

/** What is read of a Pod; everything else is dropped. */
const podSchema = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }),
  spec: z.object({
    containers: z.array(z.object({ name: z.string(), securityContext: contextSchema.default({}) })),
    securityContext: contextSchema.default({}),
  }),
  status: z
    .object({
      ephemeralContainerStatuses: z.array(z.object({ name: z.string(), state: stateSchema.default({}) })).default([]),
    })
    .default({ ephemeralContainerStatuses: [] }),
});
type Pod = z.infer<typeof podSchema>;

function readPod(json: string): Pod {
  try {
    return podSchema.parse(JSON.parse(json));
  } catch (error) {
    throw new SidescopeError('kubectl-failed', 'kubectl get pod printed what is no Pod', { cause: error });
  }
}

function chooseContainer({ metadata, spec }: Pod, { container, pod }: PodRequest): string {
  const names = spec.containers.map(({ name }) => name);
  const chosen = container ?? metadata.annotations['kubectl.kubernetes.io/default-container'] ?? names[0] ?? '';
  if (names.includes(chosen)) return chosen;
  throw new SidescopeError(
    'invalid-option',
    `${pod} has no container ${chosen}; it has ${names.join(', ')}: name one with -c`,
  );
}

/** As the manifest says; else as the container's own `id` does, which images without a shell lack. */
async function userOf(
  { spec }: Pod,
  { application, request, signal }: { application: string; request: PodRequest; signal: AbortSignal },
): Promise<[number, number]> {
  const own = spec.containers.find(({ name }) => name === application)?.securityContext ?? {};
  const uid = own.runAsUser ?? spec.securityContext.runAsUser;
  const gid = own.runAsGroup ?? spec.securityContext.runAsGroup;
  if (uid !== undefined && gid !== undefined) return [uid, gid];
  const { kubectl, pod } = request;
  const ask = async (flag: string): Promise<number> => {
    const doing = `${pod}: asking for its user`;
    const printed = await kubectl.exec([pod, `--container=${application}`, '--', 'id', flag], { doing, signal });
    if (/^\d+\s*$/.test(printed)) return Number(printed);
    throw new SidescopeError('kubectl-failed', `${doing}: it printed ${JSON.stringify(printed.slice(0, 100))}`);
  };
  try {
    return [uid ?? (await ask('-u')), gid ?? (await ask('-g'))];
  } catch (error) {
    signal.throwIfAborted();
    throw new SidescopeError(
      'invalid-option',
      `${pod} does not say as which user and group ${application} runs (runAsUser, runAsGroup), and its image has no \`id\`: give them with --user UID:GID`,
      { cause: error },
    );
  }
}

function parseUser(text: string): [number, number] {
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  if (match === null)
    throw new SidescopeError('invalid-option', `--user ${JSON.stringify(text)} is not UID or UID:GID`);
  return [Number(match[1]), Number(match[2] ?? match[1])];
}
