import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { InspectorSocket } from '../../agent/attach/inspector-socket.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

const require = createRequire(import.meta.url);

/** `InspectorSocket` reaches into the client; when these fail after an update, read its source again before changing the pin. */
it('stands on the pinned client, whose internals are where it expects them', async () => {
  const manifest = JSON.parse(await readFile(require.resolve('chrome-remote-interface/package.json'), 'utf8')) as {
    version: string;
  };
  expect(manifest.version).toBe('0.34.0');
  const Chrome = require('chrome-remote-interface/lib/chrome.js') as { prototype: Record<string, unknown> };
  for (const method of ['send', '_connectToWebSocket', '_handleMessage', '_handleConnectionClose', '_enqueueCommand']) {
    expect(Chrome.prototype[method], method).toBeTypeOf('function');
  }
});

it('has replaced the message listener of the socket, counts what is unanswered, and tells the close code', async () => {
  await using target = await startTarget('forever');
  const list = (await (await fetch(`http://${target.inspectorAddress}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = await InspectorSocket.open(list[0]?.webSocketDebuggerUrl ?? '', {
    timeoutMs: 5_000,
    signal: new AbortController().signal,
  });
  const internals = socket as unknown as {
    _ws: { listenerCount(event: string): number };
    _nextCommandId: number;
    _callbacks: Record<number, unknown>;
  };
  expect(internals._ws.listenerCount('message')).toBe(1);
  expect(internals._nextCommandId).toBe(1);
  const frames: Buffer[] = [];
  socket.events.on('message', (frame) => frames.push(frame));
  socket.resume();
  let answered: unknown;
  const id = socket.request('Runtime.getHeapUsage', {}, (answer) => (answered = answer));
  expect(id).toBe(1);
  expect(socket.outstanding).toBe(1);
  await waitFor(() => frames.length === 1, { message: 'the answer as bytes' });
  expect(Object.keys(internals._callbacks)).toEqual(['1']);
  socket.settle(id, { result: 'seen' });
  expect(answered).toEqual({ result: 'seen' });
  expect(socket.outstanding).toBe(0);
  target.kill('SIGKILL');
  await waitFor(() => socket.closeInfo?.code === 1006, { message: 'the close code' });
});
