import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { RawData, WebSocket } from 'ws';

export interface InspectorRequest {
  readonly id: number;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

export interface FakeInspectorOptions {
  /** How `/json/list` (and `/json`) answers. `redirect` leads to `/elsewhere`, where a proper list is. */
  readonly list?: 'ok' | 'html' | '404' | 'silent' | 'endless' | 'redirect' | 'empty' | 'truncated';
  /** Whether the WebSocket opens, is refused with 403, or the upgrade stays unanswered. */
  readonly upgrade?: 'ok' | 'refuse' | 'silent';
  /** Called for every message. Without it each request is answered with an empty result. */
  readonly onMessage?: (message: InspectorRequest, socket: WebSocket) => void;
  readonly onConnect?: (socket: WebSocket) => void;
}

export interface FakeInspector extends AsyncDisposable {
  readonly port: number;
  readonly address: string;
  /** Paths that were asked for over HTTP, in order. */
  readonly paths: readonly string[];
  /** What clients sent over every WebSocket so far. */
  readonly messages: readonly InspectorRequest[];
  readonly sockets: ReadonlySet<WebSocket>;
}

/** An inspector for what a real target does not produce: broken lists, silence, garbage frames, a chosen order. */
export async function startFakeInspector(options: FakeInspectorOptions = {}): Promise<FakeInspector> {
  const paths: string[] = [];
  const messages: InspectorRequest[] = [];
  const sockets = new Set<WebSocket>();
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    answer({ request, response, list: options.list ?? 'ok', port: portOf(server) });
  });
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const upgrades = new Set<Duplex>();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgrades.add(socket);
    socket.once('close', () => upgrades.delete(socket));
    // A client that goes away in the middle is what the tests are about.
    socket.on('error', () => {});
    if (options.upgrade === 'silent') return;
    if (options.upgrade === 'refuse') {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (opened) => {
      sockets.add(opened);
      opened.once('close', () => sockets.delete(opened));
      opened.on('error', () => {});
      opened.on('message', (data: RawData) => {
        const message = JSON.parse((data as Buffer).toString('utf8')) as InspectorRequest;
        messages.push(message);
        if (options.onMessage === undefined) opened.send(JSON.stringify({ id: message.id, result: {} }));
        else options.onMessage(message, opened);
      });
      options.onConnect?.(opened);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: portOf(server),
    address: `127.0.0.1:${portOf(server)}`,
    paths,
    messages,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of upgrades) socket.destroy();
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

function answer(exchange: {
  request: IncomingMessage;
  response: ServerResponse;
  list: NonNullable<FakeInspectorOptions['list']>;
  port: number;
}): void {
  const { request, response, list, port } = exchange;
  const body = (type: string, text: string): void => {
    response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
  };
  if (request.url === '/elsewhere') return body('application/json', properList(port));
  switch (list) {
    case 'ok':
      return body('application/json; charset=UTF-8', properList(port));
    case 'html':
      return body('text/html', '<!doctype html><title>Not an inspector</title><p>Hello');
    case '404':
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Not Found');
      return;
    case 'redirect':
      response.writeHead(302, { location: '/elsewhere' }).end();
      return;
    case 'empty':
      return body('application/json', '[]');
    case 'truncated':
      return body('application/json', properList(port).slice(0, 40));
    case 'endless':
      response.writeHead(200, { 'content-type': 'application/json' });
      return writeForever(response);
    case 'silent':
      return;
  }
}

function properList(port: number): string {
  const uuid = '00000000-0000-4000-8000-000000000000';
  return JSON.stringify([
    {
      description: 'node.js instance',
      id: uuid,
      title: '/srv/fake.js',
      type: 'node',
      url: 'file:///srv/fake.js',
      webSocketDebuggerUrl: `ws://127.0.0.1:${port}/${uuid}`,
    },
  ]);
}

function writeForever(response: ServerResponse): void {
  const chunk = `[${' '.repeat(16_384)}`;
  const write = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', write);
  write();
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
