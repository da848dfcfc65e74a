import { isSidescopeError } from '../protocol/error.ts';
import type { WorkerReply } from './worker-client.ts';

/** The thread's side of a WorkerClient: gives back what `answer` finds, or why it found nothing. Texts are told, and have no answer. */
export function answerRequests<Request extends { readonly id: number }>(handlers: {
  answer: (request: Request) => Promise<unknown>;
  onTold?: (message: string) => void;
}): void {
  addEventListener('message', ({ data }: MessageEvent<Request | string>) => {
    if (typeof data === 'string') return handlers.onTold?.(data);
    handlers.answer(data).then(
      (answer) => reply({ type: 'answer', id: data.id, answer }),
      (error: unknown) => reply({ type: 'failure', id: data.id, ...explain(error) }),
    );
  });
}

function explain(error: unknown): { code: string; message: string } {
  if (isSidescopeError(error)) return { code: error.code, message: error.message };
  if (error instanceof DOMException && error.name === 'AbortError') return { code: 'aborted', message: 'ended by you' };
  // Typed arrays that do not fit are a RangeError.
  if (error instanceof RangeError)
    return { code: 'analysis-limit', message: `this browser has not the memory for it: ${error.message}` };
  if (error instanceof TypeError)
    return { code: 'damaged-profile', message: `the bytes stopped coming: ${error.message}` };
  return { code: 'page-fault', message: error instanceof Error ? error.message : String(error) };
}

function reply(message: WorkerReply<never>): void {
  postMessage(message);
}
