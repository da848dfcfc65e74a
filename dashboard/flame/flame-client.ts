import workerUrl from './worker.ts?worker&url';
import { ApiProblem } from '../api.ts';
import type { QuestionName, Questions, Reply } from './messages.ts';

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (problem: ApiProblem) => void;
}

/** The page's side of the thread that reads a profile. Every failure is an ApiProblem; `aborted` for what was ended. */
export class FlameClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor() {
    this.#worker = startWorker();
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.type === 'answer') waiting?.resolve(data.answer);
      else waiting?.reject(problem(data.code, data.message));
    });
    this.#worker.addEventListener('error', (event) => {
      this.#failAll(problem('analysis-limit', event.message || 'the browser ended the analysis'));
    });
  }

  ask<Name extends QuestionName>(name: Name, asked: Questions[Name]['asked']): Promise<Questions[Name]['answer']> {
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Questions[Name]['answer']>();
    this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
    this.#worker.postMessage({ id, name, asked });
    return promise;
  }

  /** Gives the memory back. */
  close(): void {
    this.#worker.terminate();
    this.#failAll(problem('aborted', 'closed'));
  }

  #failAll(reason: ApiProblem): void {
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}

function problem(code: string, detail: string): ApiProblem {
  return new ApiProblem({ status: 0, code, detail });
}

interface ScriptUrlPolicy {
  createScriptURL(url: string): string;
}

let policy: ScriptUrlPolicy | undefined;

/** Browsers that enforce Trusted Types take no plain text as a script's address: ours is a constant of the build. */
function startWorker(): Worker {
  const { trustedTypes } = globalThis as {
    trustedTypes?: { createPolicy(name: string, rules: ScriptUrlPolicy): ScriptUrlPolicy };
  };
  policy ??= trustedTypes?.createPolicy('sidescope-flame', {
    createScriptURL: (url) => {
      if (url !== workerUrl) throw new TypeError('this is not the worker of the page');
      return url;
    },
  });
  return new Worker(policy?.createScriptURL(workerUrl) ?? workerUrl, { type: 'module' });
}
