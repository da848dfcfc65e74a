import type { Operation } from '../../../protocol/rest/operation.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Pod } from './pod.ts';

/** `sidescope token` as the README has it: through exec, in the container, without a shell. */
export async function mintToken(pod: Pod): Promise<string> {
  const { code, stdout, stderr } = await pod.exec('sidescope', ['sidescope', 'token']);
  if (code !== 0) throw new Error(`sidescope token ended with ${code}: ${stderr}`);
  const [token = ''] = stdout.split('\n');
  return token;
}

export interface Api {
  /** Parsed body of a 2xx answer; anything else rejects with the body in the message. */
  get<T>(path: string): Promise<T>;
  post(path: string): Promise<Operation>;
  /** Whatever the status. */
  send(method: string, path: string): Promise<Response>;
}

export function apiOf(url: string, token: string): Api {
  const send = (method: string, path: string): Promise<Response> =>
    fetch(`${url}/api/v1/profiling${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, connection: 'close' },
      signal: AbortSignal.timeout(60_000),
    });
  const json = async (method: string, path: string): Promise<unknown> => {
    const response = await send(method, path);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    send,
    get: <T>(path: string) => json('GET', path) as Promise<T>,
    post: (path) => json('POST', path) as Promise<Operation>,
  };
}

export function untilAttached(api: Api): Promise<true> {
  return waitFor(
    async () => {
      const { targets } = await api.get<{ targets: { state: { state: string } }[] }>('/targets');
      return targets[0]?.state.state === 'attached' || undefined;
    },
    { message: 'the agent to be attached', deadlineMs: 20_000 },
  );
}

/** Asks the application all the time; `failures` are the requests that it did not answer with 200. */
export function watchApplication(
  url: string,
): AsyncDisposable & { readonly answers: number; readonly failures: readonly string[] } {
  let answers = 0;
  const failures: string[] = [];
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      try {
        const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) });
        await response.text();
        if (response.ok) answers += 1;
        else failures.push(`status ${response.status}`);
      } catch (error) {
        failures.push(error instanceof Error ? `${error.message}: ${String(error.cause)}` : 'unknown');
      }
    }
  })();
  return {
    get answers() {
      return answers;
    },
    failures,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await watching;
    },
  };
}
