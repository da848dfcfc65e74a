import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { RawData } from 'ws';

export interface RecordingProxy extends AsyncDisposable {
  readonly port: number;
  readonly address: string;
  /** Raw text of every message from the client to the target, in order, over all connections. */
  readonly sent: readonly string[];
  /** How many connections are open now. */
  readonly connections: number;
  /** Cuts every connection without a closing handshake, as a broken network does. With `refuse`, new ones fail until `accept`. */
  cut(options?: { refuse?: boolean }): void;
  accept(): void;
}

/** Stands between an agent and the inspector at `127.0.0.1:targetPort`, and writes down what the agent says. */
export async function startRecordingProxy(targetPort: number): Promise<RecordingProxy> {
  const sent: string[] = [];
  const pairs = new Set<readonly [WebSocket, WebSocket]>();
  const upgrades = new Set<Duplex>();
  let refusing = false;
  const server = createServer((request, response) => {
    if (refusing) request.socket.destroy();
    else void relayList({ request, response, targetPort, ownPort: portOf(server) });
  });
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 0 });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (refusing) {
      socket.destroy();
      return;
    }
    upgrades.add(socket);
    socket.once('close', () => upgrades.delete(socket));
    // Reported by the WebSocket once there is one; before that it only means that the client left.
    socket.on('error', () => {});
    const upstream = new WebSocket(`ws://127.0.0.1:${targetPort}${request.url}`, {
      perMessageDeflate: false,
      maxPayload: 0,
    });
    upstream.on('error', () => socket.destroy());
    upstream.once('open', () => {
      webSockets.handleUpgrade(request, socket, head, (client) => {
        const pair = [client, upstream] as const;
        pairs.add(pair);
        client.once('close', () => pairs.delete(pair));
        relay(client, upstream, (text) => sent.push(text));
        relay(upstream, client);
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = (): void => pairs.forEach((pair) => pair.forEach((socket) => socket.terminate()));
  return {
    port: portOf(server),
    address: `127.0.0.1:${portOf(server)}`,
    sent,
    get connections() {
      return pairs.size;
    },
    cut(options = {}) {
      refusing = options.refuse ?? refusing;
      cut();
    },
    accept() {
      refusing = false;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of upgrades) socket.destroy();
      cut();
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

function relay(from: WebSocket, to: WebSocket, record?: (text: string) => void): void {
  from.on('message', (data: RawData, isBinary: boolean) => {
    record?.((data as Buffer).toString('utf8'));
    // One message at a time: a client that stops reading stops the target, as without us.
    from.pause();
    to.send(data as Buffer, { binary: isBinary }, () => from.resume());
  });
  from.on('error', () => to.terminate());
  from.on('close', (code, reason) => {
    // 1005 and 1006 stand for "no code" and "no handshake": they cannot be sent.
    if (code === 1005) to.close();
    else if (code === 1006) to.terminate();
    else to.close(code, reason);
  });
}

async function relayList(exchange: {
  request: IncomingMessage;
  response: ServerResponse;
  targetPort: number;
  ownPort: number;
}): Promise<void> {
  const { request, response, targetPort, ownPort } = exchange;
  try {
    const answer = await fetch(`http://127.0.0.1:${targetPort}${request.url}`);
    const text = (await answer.text()).replaceAll(`127.0.0.1:${targetPort}`, `127.0.0.1:${ownPort}`);
    response.writeHead(answer.status, { 'content-type': 'application/json; charset=UTF-8' }).end(text);
  } catch {
    // The target is gone: its port would refuse, so does ours.
    response.destroy();
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
