import type { ZodType } from 'zod';
import { isSidescopeError, SidescopeError } from '../../../protocol/error.ts';
import { problemSchema } from '../../../protocol/rest/problem.ts';
import { apiPath } from '../../../protocol/rest/routes.ts';
import { mintInPod } from '../mint-in-pod.ts';
import { PortForward } from '../port-forward.ts';
import { readRegularFile } from '../../regular-file.ts';
import type { FleetAccess } from './selection.ts';

const usualAdminPort = 7777;
const answerDeadlineMs = 30_000;
/** kubectl tells of a pod that went away a moment after the connection broke. */
const forwardEndMs = 2_000;
const JSON_BYTES_MAX = 32 * 1024 * 1024;
const FILE_BYTES_MAX = 256 * 1024 * 1024;

export interface Asked<T> {
  /** Below the API's path, with its query. */
  readonly path: string;
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly schema: ZodType<T>;
  readonly signal: AbortSignal;
}

/** The agent of one pod, through a port-forward of its own, until it is disposed. Every failure names the pod. */
export class PodAgent implements AsyncDisposable {
  readonly pod: string;
  readonly #forward: PortForward;
  readonly #token: string;

  private constructor(pod: string, { forward, token }: { forward: PortForward; token: string }) {
    this.pod = pod;
    this.#forward = forward;
    this.#token = token;
  }

  /** Rejects with `kubectl-failed`, `no-agent`, `unusable-file`, or the signal's reason. */
  static async open(pod: string, { access, signal }: { access: FleetAccess; signal: AbortSignal }): Promise<PodAgent> {
    const { kubectl } = access;
    const { token, remotePort } = await credential(pod, { access, signal });
    // Ctrl-C goes to the whole foreground group: the way to the agents is needed to stop what they do.
    const forwardTo = { pod: `pod/${pod}`, remotePort, localPort: 0, signal, isOwnGroup: true };
    return new PodAgent(pod, { token, forward: await PortForward.open(kubectl, forwardTo) });
  }

  /** The parsed body of a 2xx answer. Rejects with `agent-refused`, whose details have `status` and `code`. */
  async ask<T>({ schema, ...request }: Asked<T>): Promise<T> {
    const body = await this.#send({ ...request, maxBytes: JSON_BYTES_MAX });
    const parsed = schema.safeParse(jsonOf(body));
    if (parsed.success) return parsed.data;
    throw new SidescopeError(
      'agent-refused',
      `pod/${this.pod}: ${request.path.split('?')[0]} answered what this version does not know; is the agent of another version?`,
      { cause: parsed.error },
    );
  }

  download(path: string, signal: AbortSignal): Promise<Buffer> {
    return this.#send({ path, signal, maxBytes: FILE_BYTES_MAX });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#forward[Symbol.asyncDispose]();
  }

  async #send({
    path,
    method = 'GET',
    signal,
    maxBytes,
  }: Pick<Asked<unknown>, 'path' | 'method' | 'signal'> & { maxBytes: number }): Promise<Buffer> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#forward.localPort}${apiPath}${path}`, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, connection: 'close' },
        // The API has none; whoever answers in the pod must not lead this machine elsewhere.
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(answerDeadlineMs)]),
      });
      const body = await readAtMost(response, maxBytes);
      if (response.ok) return body;
      throw this.#refused(response.status, body);
    } catch (error) {
      signal.throwIfAborted();
      if (isSidescopeError(error)) throw error;
      throw new SidescopeError('agent-refused', `pod/${this.pod}: ${await this.#whyUnreachable(error)}`, {
        cause: error,
      });
    }
  }

  #refused(status: number, body: Buffer): SidescopeError {
    const problem = problemSchema.safeParse(jsonOf(body));
    const { code = '', detail = '' } = problem.success ? problem.data : {};
    const said = detail === '' ? '' : `: ${detail}`;
    return new SidescopeError('agent-refused', `pod/${this.pod}: ${status} ${code}${said}`, {
      details: { status, code },
    });
  }

  async #whyUnreachable(error: unknown): Promise<string> {
    await Promise.race([this.#forward.ended, new Promise((resolve) => setTimeout(resolve, forwardEndMs).unref())]);
    if (this.#forward.isGone) {
      const { lastWords } = this.#forward;
      return `the connection was lost${lastWords === '' ? '' : ` (${lastWords})`}`;
    }
    if (error instanceof Error && error.name === 'TimeoutError') return `no answer in ${answerDeadlineMs / 1_000} s`;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
    return `its agent cannot be reached through the port-forward${cause === '' ? '' : ` (${cause})`}`;
  }
}

async function credential(
  pod: string,
  { access, signal }: { access: FleetAccess; signal: AbortSignal },
): Promise<{ token: string; remotePort: number }> {
  const { tokenFile } = access;
  if (tokenFile !== undefined) return { token: await readToken(tokenFile), remotePort: usualAdminPort };
  const { token, agent } = await mintInPod({ ...access, pod: `pod/${pod}` }, signal);
  if (agent.admin !== null) return { token, remotePort: agent.admin.port };
  throw new SidescopeError('no-agent', `pod/${pod}: the admin port of its agent is taken; its log says which port`);
}

async function readToken(path: string): Promise<string> {
  const token = (await readRegularFile(path, { maxBytes: 64 * 1024 })).trim();
  if (/^[\x21-\x7e]{16,16384}$/.test(token)) return token;
  throw new SidescopeError('unusable-file', `${path} is no file with one token of 16 to 16384 characters`);
}

async function readAtMost(response: Response, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += (chunk as Uint8Array).length;
    if (sizeBytes > maxBytes) throw new SidescopeError('agent-refused', `an answer has more than ${maxBytes} B`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks);
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    // The schema says what is wrong with undefined.
    return undefined;
  }
}
