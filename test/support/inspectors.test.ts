import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startFakeInspector } from './fake-inspector.ts';
import { startRecordingProxy } from './recording-proxy.ts';
import { startTarget } from './target.ts';
import { waitFor } from './wait-for.ts';

describe('startFakeInspector', () => {
  it.each([
    ['html', 200, /doctype/],
    ['404', 404, /Not Found/],
    ['empty', 200, /^\[\]$/],
    ['truncated', 200, /^\[\{[^\]]*$/],
  ] as const)('answers the list with %s', async (list, status, body) => {
    await using inspector = await startFakeInspector({ list });
    const answer = await fetch(`http://${inspector.address}/json/list`);
    expect(answer.status).toBe(status);
    expect(await answer.text()).toMatch(body);
  });

  it('redirects and tells whether the redirect was followed', async () => {
    await using inspector = await startFakeInspector({ list: 'redirect' });
    await fetch(`http://${inspector.address}/json/list`);
    expect(inspector.paths).toEqual(['/json/list', '/elsewhere']);
  });

  it.each(['silent', 'endless'] as const)('keeps a %s list open until the client gives up', async (list) => {
    await using inspector = await startFakeInspector({ list });
    const answer = fetch(`http://${inspector.address}/json/list`, { signal: AbortSignal.timeout(100) });
    await expect(answer.then((response) => response.text())).rejects.toThrow(/timeout/);
  });

  it('answers requests with an empty result, or as scripted', async () => {
    await using plain = await startFakeInspector();
    await using scripted = await startFakeInspector({ onMessage: (_message, socket) => socket.send('not JSON') });
    expect(await ask(plain.address, '{"id":1,"method":"A.b"}')).toBe('{"id":1,"result":{}}');
    expect(plain.messages).toEqual([{ id: 1, method: 'A.b' }]);
    expect(await ask(scripted.address, '{"id":1,"method":"A.b"}')).toBe('not JSON');
  });

  it('refuses the upgrade', async () => {
    await using inspector = await startFakeInspector({ upgrade: 'refuse' });
    await expect(ask(inspector.address, '{}')).rejects.toThrow(/403/);
  });
});

describe('startRecordingProxy', () => {
  it('relays to a real inspector under its own address and records what was sent', async () => {
    await using target = await startTarget('forever');
    await using proxy = await startRecordingProxy(target.inspectorPort);
    const request = '{"id":7,"method":"Runtime.evaluate","params":{"expression":"6*7"}}';
    expect(JSON.parse(await ask(proxy.address, request))).toMatchObject({ id: 7, result: { result: { value: 42 } } });
    expect(proxy.sent).toEqual([request]);
  });

  it('cuts both sides, refuses, and accepts again', async () => {
    await using target = await startTarget('forever');
    await using proxy = await startRecordingProxy(target.inspectorPort);
    const socket = await open(proxy.address);
    expect(proxy.connections).toBe(1);
    const closed = once(socket, 'close');
    proxy.cut({ refuse: true });
    expect((await closed)[0]).toBe(1006);
    await expect(fetch(`http://${proxy.address}/json/list`)).rejects.toThrow();
    proxy.accept();
    await using _again = disposable(await open(proxy.address));
    await waitFor(() => proxy.connections === 1, { message: 'one connection' });
  });

  it('passes on the end of the target', async () => {
    await using target = await startTarget('forever');
    await using proxy = await startRecordingProxy(target.inspectorPort);
    const socket = await open(proxy.address);
    const closed = once(socket, 'close');
    target.kill();
    await closed;
    await expect(fetch(`http://${proxy.address}/json/list`)).rejects.toThrow();
  });
});

async function ask(address: string, text: string): Promise<string> {
  const socket = await open(address);
  await using _closing = disposable(socket);
  socket.send(text);
  const [data] = (await once(socket, 'message')) as [Buffer];
  return data.toString('utf8');
}

async function open(address: string): Promise<WebSocket> {
  const list = (await (await fetch(`http://${address}/json/list`)).json()) as { webSocketDebuggerUrl: string }[];
  const url = list[0]?.webSocketDebuggerUrl ?? 'none';
  expect(url).toContain(address);
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, 'open');
  return socket;
}

function disposable(socket: WebSocket): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      if (socket.readyState === WebSocket.CLOSED) return;
      socket.terminate();
      await once(socket, 'close');
    },
  };
}
