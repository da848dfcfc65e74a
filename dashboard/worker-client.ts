import { ApiProblem } from './api.ts';

/** What a thread is asked by name, and what it answers to each. */
export type QuestionsOf<Questions> = {
  readonly [Name in keyof Questions]: { readonly asked: unknown; readonly answer: unknown };
};

/** What a thread sends: an answer, why there is none, or something that it tells unasked. */
export type WorkerReply<Told> =
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly code: string; readonly message: string }
  | Told;

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (problem: ApiProblem) => void;
}

/** The page's side of a thread. Every failure is an ApiProblem: the thread's own, `analysis-limit` when it died, `aborted` for what was ended. */
export class WorkerClient<Questions extends QuestionsOf<Questions>, Told extends { readonly type: string } = never> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** `address` is a constant of the build, of a module of ours. */
  constructor(address: string, onTold?: (told: Told) => void) {
    this.#worker = startWorker(address);
    this.#worker.addEventListener('message', ({ data }: MessageEvent<WorkerReply<Told>>) => {
      if (isAnswer(data)) this.#settle(data);
      else onTold?.(data);
    });
    this.#worker.addEventListener('error', (event) => {
      const detail = event.message || 'the browser ended the analysis, most often for its memory';
      this.#failAll(problem('analysis-limit', detail));
    });
  }

  ask<Name extends keyof Questions & string>(
    name: Name,
    asked: Questions[Name]['asked'],
  ): Promise<Questions[Name]['answer']> {
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Questions[Name]['answer']>();
    this.#waiting.set(id, { resolve, reject });
    this.#worker.postMessage({ id, name, asked });
    return promise;
  }

  /** A message that has no answer. */
  tell(message: string): void {
    this.#worker.postMessage(message);
  }

  /** Gives the memory back. */
  close(): void {
    this.#worker.terminate();
    this.#failAll(problem('aborted', 'closed'));
  }

  #settle(reply: WorkerReply<never>): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.type === 'answer') waiting?.resolve(reply.answer);
    else waiting?.reject(problem(reply.code, reply.message));
  }

  #failAll(reason: ApiProblem): void {
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}

function isAnswer<Told extends { readonly type: string }>(reply: WorkerReply<Told>): reply is WorkerReply<never> {
  return reply.type === 'answer' || reply.type === 'failure';
}

function problem(code: string, detail: string): ApiProblem {
  return new ApiProblem({ status: 0, code, detail });
}

interface ScriptUrlPolicy {
  createScriptURL(url: string): string;
}

let policy: ScriptUrlPolicy | undefined;

/** Browsers that enforce Trusted Types take no plain text as a script's address: only what lies beside the page's own files passes. */
function startWorker(address: string): Worker {
  const { trustedTypes } = globalThis as {
    trustedTypes?: { createPolicy(name: string, rules: ScriptUrlPolicy): ScriptUrlPolicy };
  };
  policy ??= trustedTypes?.createPolicy('sidescope-workers', {
    createScriptURL: (url) => {
      const { origin, pathname } = new URL(url, location.href);
      if (origin === location.origin && pathname.startsWith(import.meta.env.BASE_URL)) return url;
      throw new TypeError('this is no worker of the page');
    },
  });
  return new Worker(policy?.createScriptURL(address) ?? address, { type: 'module' });
}
