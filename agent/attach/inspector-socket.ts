import { EventEmitter } from 'node:events';
import Chrome from 'chrome-remote-interface/lib/chrome.js';
import { SidescopeError } from '../../protocol/error.ts';
import type { Channel, ChannelAnswer } from './session.ts';

export interface CloseInfo {
  readonly code: number;
  readonly reason: string;
}

export interface InspectorSocketEvents {
  message: [Buffer];
  closed: [CloseInfo];
}

/**
 * The one wrapper of chrome-remote-interface 0.34. As that client stands, a frame that is not JSON is an uncatchable throw, every
 * frame becomes a string, redirects are followed, the close code is lost, and nothing has a timeout: so its socket's message
 * listener is replaced by ours before the socket opens, and `Session` adds the rest.
 */
export class InspectorSocket extends Chrome implements Channel {
  readonly events = new EventEmitter<InspectorSocketEvents>();
  #closeInfo: CloseInfo | undefined;
  #outstanding = 0;

  /** Opens paused: listen to `events`, then `resume()`. `url` holds the address to connect to, already resolved. Rejects with `inspector-timeout` or `inspector-unreachable`. */
  static async open(url: string, options: { timeoutMs: number; signal: AbortSignal }): Promise<InspectorSocket> {
    const notifier = new EventEmitter<{ connect: []; error: [Error] }>();
    const socket = new InspectorSocket({ target: url, protocol: { domains: [] } }, notifier);
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const deadline = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
    const onAbort = (): void => {
      reject(
        options.signal.aborted
          ? (options.signal.reason as Error)
          : new SidescopeError(
              'inspector-timeout',
              `inspector at ${url} did not open a WebSocket in ${options.timeoutMs} ms`,
            ),
      );
    };
    notifier.once('connect', () => resolve(undefined));
    notifier.on('error', (error) => {
      reject(
        new SidescopeError('inspector-unreachable', `inspector at ${url} refused the WebSocket: ${error.message}`, {
          cause: error,
        }),
      );
    });
    if (deadline.aborted) onAbort();
    deadline.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } catch (error) {
      socket.terminate();
      throw error;
    } finally {
      deadline.removeEventListener('abort', onAbort);
    }
    return socket;
  }

  get closeInfo(): CloseInfo | undefined {
    return this.#closeInfo;
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  /** Called by the client when it makes its socket, before that opens. */
  protected override _connectToWebSocket(): Promise<void> {
    const opening = super._connectToWebSocket();
    const ws = this._ws;
    if (ws === undefined) return opening;
    ws.removeAllListeners('message');
    ws.on('message', (data) => this.events.emit('message', data as Buffer));
    // Nothing is read until somebody listens: a peer may talk first.
    ws.once('open', () => ws.pause());
    ws.on('redirect', (_url, request) => request.destroy(new Error('the inspector answered with a redirect')));
    ws.prependListener('close', (code: number, reason: Buffer) => {
      this.#closeInfo = { code, reason: reason.toString('utf8').slice(0, 200) };
      this.events.emit('closed', this.#closeInfo);
    });
    return opening;
  }

  request(method: string, params: object, answer: ChannelAnswer): number {
    const id = this._nextCommandId;
    this.#outstanding++;
    this.send(method, params, (failed, response) => {
      this.#outstanding--;
      if (failed instanceof Error) answer({ lost: failed });
      else if (failed) answer({ error: response });
      else answer({ result: response });
    });
    return id;
  }

  settle(id: number, message: { error?: unknown; result?: unknown }): void {
    this._handleMessage({ id, ...message });
  }

  /** Stops reading from the target's socket: what is in flight stays in the kernel's and the target's buffers. */
  pause(): void {
    this._ws?.pause();
  }

  resume(): void {
    this._ws?.resume();
  }

  /** At once and without a close handshake: a target that waits at its exit goes on within milliseconds. */
  terminate(): void {
    this._ws?.terminate();
  }
}
