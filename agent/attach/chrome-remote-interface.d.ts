/** The parts of the pinned client that `inspector-socket.ts` uses; test/attach/inspector-socket.test.ts fails when they move. */
declare module 'chrome-remote-interface/lib/chrome.js' {
  import { EventEmitter } from 'node:events';
  import type { WebSocket } from 'ws';

  export default class Chrome extends EventEmitter {
    constructor(
      options: { target: string; protocol: { domains: readonly never[] } },
      notifier: EventEmitter<{ connect: []; error: [Error] }>,
    );
    protected _ws: WebSocket | undefined;
    protected _nextCommandId: number;
    protected _callbacks: Record<number, unknown>;
    protected _connectToWebSocket(): Promise<void>;
    protected _handleMessage(message: { id: number; error?: unknown; result?: unknown }): void;
    send(method: string, params: object, callback: (failed: boolean | Error, response: unknown) => void): void;
  }
}
