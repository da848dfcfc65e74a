import { once } from 'node:events';
import { WebSocket } from 'ws';
import { waitFor } from '../support/wait-for.ts';

export interface RawInspector extends Disposable {
  /** Every message as it came, in order. */
  readonly messages: readonly Uint8Array[];
  /** Sends a request of this id and waits for its answer. */
  ask(id: number, method: string, params?: Readonly<Record<string, unknown>>): Promise<Uint8Array>;
}

/** An inspector's WebSocket with nothing in between: tests of the byte-level readers need what V8 really wrote. */
export async function openRawInspector(address: string): Promise<RawInspector> {
  const answer = await fetch(`http://${address}/json/list`);
  const [entry] = (await answer.json()) as { webSocketDebuggerUrl: string }[];
  const socket = new WebSocket(entry!.webSocketDebuggerUrl, { perMessageDeflate: false });
  const messages: Uint8Array[] = [];
  socket.on('message', (data: Buffer) => messages.push(new Uint8Array(data)));
  await once(socket, 'open');
  return {
    messages,
    ask: (id, method, params = {}) => {
      socket.send(JSON.stringify({ id, method, params }));
      return waitFor(() => messages.find((message) => isAnswerTo(id, message)), {
        deadlineMs: 20_000,
        message: `the answer to ${method}`,
      });
    },
    [Symbol.dispose]: () => socket.terminate(),
  };
}

/** Ends the loop that `gets-stuck` spins in: when what was to be seen in it has been seen, on a machine however busy. */
export async function endLoop(address: string): Promise<void> {
  using inspector = await openRawInspector(address);
  await inspector.ask(1, 'Runtime.evaluate', { expression: 'globalThis.isLoopOver = true' });
}

/** The same for a loop that asks `performance.now` for its end. */
export async function endClock(address: string): Promise<void> {
  using inspector = await openRawInspector(address);
  // Read-only in Node 18.
  const expression = "Object.defineProperty(performance, 'now', { value: () => Infinity })";
  await inspector.ask(1, 'Runtime.evaluate', { expression });
}

/** V8 writes the id first, but last in the error answers of Node 18 and 20. */
function isAnswerTo(id: number, message: Uint8Array): boolean {
  const decoder = new TextDecoder();
  const start = decoder.decode(message.subarray(0, 40));
  const end = decoder.decode(message.subarray(-40));
  return start.startsWith(`{"id":${id},`) || (start.startsWith('{"error":') && end.endsWith(`,"id":${id}}`));
}
