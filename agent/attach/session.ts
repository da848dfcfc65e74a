import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import {
  evaluateTimeoutMs,
  loadModulesExpression,
  loadTimeoutMs,
  needsModules,
  requireMissing,
  type ExpressionText,
  type FunctionText,
} from '../../protocol/inspector/expressions.ts';
import { inspectMessage } from '../../protocol/inspector/message-bytes.ts';
import type {
  EvaluateResult,
  InspectorEvent,
  InspectorEvents,
  InspectorMethod,
  InspectorMethods,
} from '../../protocol/inspector/methods.ts';

export type ChannelAnswer = (answer: { result: unknown } | { error: unknown } | { lost: Error }) => void;

/** What carries a session's messages: the WebSocket itself, or `NodeWorker` messages inside another session. */
export interface Channel {
  /** Sends, and returns the id that the answer will carry. */
  request(method: string, params: object, answer: ChannelAnswer): number;
  settle(id: number, message: { error?: unknown; result?: unknown }): void;
  /** Requests that the target has not answered yet, also those that nobody waits for any more. */
  readonly outstanding: number;
}

export interface SendOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Commands, events and raw messages of one thread. Every wait has a timeout, and all of them reject when the thread is gone. */
export class Session {
  readonly threadId: string;
  readonly #channel: Channel;
  readonly #ended = new AbortController();
  /**
   * Those that failed for want of `require`, on targets without `process.getBuiltinModule` (before 20.16, 22.3). Only they get the command-line API: a
   * process that ends by itself and evaluates with it while it waits for us to disconnect dies of SIGSEGV (18 and 20, every time; 22-26 do not).
   */
  readonly #needRequire = new Set<ExpressionText>();
  /** How modules were loaded: with the command-line API, without it. */
  readonly #loadedWith = new Set<boolean>();
  readonly #rawIds = new Set<number>();
  readonly #events = new EventEmitter();
  readonly #rawEvents = new Map<string, (message: Uint8Array) => void>();
  /** Longest reply seen lately is evidence of a busy loop; the last message tells a silent target from a slow one. */
  lastMessageAtMs = performance.now();

  constructor(threadId: string, channel: Channel) {
    this.threadId = threadId;
    this.#channel = channel;
  }

  /** Aborted with `target-gone` when the connection or the thread has ended. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get outstanding(): number {
    return this.#channel.outstanding;
  }

  async send<M extends InspectorMethod>(
    method: M,
    params: InspectorMethods[M]['params'],
    options: SendOptions,
  ): Promise<InspectorMethods[M]['result']> {
    return (await this.#exchange({ method, params, raw: false, ...options })) as InspectorMethods[M]['result'];
  }

  /** The whole answer as bytes, for answers too big to become strings. V8's refusals reject as with `send`. */
  async sendForBytes<M extends InspectorMethod>(
    method: M,
    params: InspectorMethods[M]['params'],
    options: SendOptions,
  ): Promise<Uint8Array> {
    return (await this.#exchange({ method, params, raw: true, ...options })) as Uint8Array;
  }

  /** Evaluates one of the fixed expressions and returns its value, which is whatever the target says: decode it. */
  async evaluate(expression: ExpressionText, options: SendOptions & { awaitPromise?: true }): Promise<unknown> {
    return (await this.#evaluate({ expression, returnByValue: true }, options)).value;
  }

  /** Keeps what the expression gives in the target, and returns its id: until the session ends, or the target's own end. */
  async evaluateToObject(expression: ExpressionText, options: SendOptions): Promise<string> {
    const how = { expression, returnByValue: false, objectGroup: 'sidescope' } as const;
    const { objectId } = await this.#evaluate(how, options);
    if (objectId === undefined) throw new SidescopeError('inspector-bad-answer', 'Runtime.evaluate gave no object');
    return objectId;
  }

  /** Calls one of the fixed functions on an object of `evaluateToObject`, and returns its value: decode it. */
  async callOn(objectId: string, functionDeclaration: FunctionText, options: SendOptions): Promise<unknown> {
    const params = { objectId, functionDeclaration, silent: true, returnByValue: true } as const;
    return resultOf('Runtime.callFunctionOn', await this.send('Runtime.callFunctionOn', params, options)).value;
  }

  /** Evaluates what nobody answers, as the last thing before the connection is closed. `withRequire` where it is not known whether the target needs that. */
  evaluateLast(expression: ExpressionText, { withRequire = false }: { withRequire?: boolean } = {}): void {
    // Asked before for `require`, it will need it now too, and there is no second try.
    const includeCommandLineAPI = withRequire || this.#needRequire.size > 0;
    this.#loadModules(expression, includeCommandLineAPI);
    this.#channel.request(
      'Runtime.evaluate',
      { expression, timeout: evaluateTimeoutMs, silent: true, returnByValue: true, includeCommandLineAPI },
      () => undefined,
    );
  }

  on<E extends InspectorEvent>(event: E, listener: (params: InspectorEvents[E]) => void): Disposable {
    this.#events.on(event, listener);
    return { [Symbol.dispose]: () => void this.#events.off(event, listener) };
  }

  /** One raw listener per event; the bytes are the listener's only during the call. */
  onBytes(event: InspectorEvent, listener: (message: Uint8Array) => void): Disposable {
    if (this.#rawEvents.has(event)) throw new Error(`there is a raw listener for ${event} already`);
    this.#rawEvents.set(event, listener);
    return { [Symbol.dispose]: () => void this.#rawEvents.delete(event) };
  }

  /** Called by the owner of the channel with every message of this session. Throws `inspector-bad-answer`. */
  receive(message: Uint8Array): void {
    this.lastMessageAtMs = performance.now();
    const head = inspectMessage(message);
    if (head?.kind === 'event') {
      const raw = this.#rawEvents.get(head.method);
      if (raw !== undefined) return raw(message);
      if (this.#events.listenerCount(head.method) === 0) return;
    }
    if (head?.kind === 'response' && !head.isError && this.#rawIds.has(head.id)) {
      return this.#channel.settle(head.id, { result: message });
    }
    this.#receiveParsed(parseMessage(message));
  }

  end(reason: SidescopeError): void {
    this.#ended.abort(reason);
  }

  async #evaluate(how: Evaluation, options: SendOptions & { awaitPromise?: true }): Promise<EvaluateResult['result']> {
    const includeCommandLineAPI = this.#needRequire.has(how.expression);
    const { awaitPromise, ...sending } = options;
    this.#loadModules(how.expression, includeCommandLineAPI);
    const result = resultOf(
      'Runtime.evaluate',
      await this.send(
        'Runtime.evaluate',
        {
          ...how,
          timeout: evaluateTimeoutMs,
          silent: true,
          includeCommandLineAPI,
          ...(awaitPromise && { awaitPromise }),
        },
        sending,
      ),
    );
    if (includeCommandLineAPI || result.value !== requireMissing) return result;
    this.#needRequire.add(how.expression);
    return this.#evaluate(how, options);
  }

  /** Right before the first expression that needs them; its answer is not waited for, as messages are served in their order. */
  #loadModules(before: ExpressionText, includeCommandLineAPI: boolean): void {
    if (this.#loadedWith.has(includeCommandLineAPI) || !needsModules(before) || this.ended.aborted) return;
    this.#loadedWith.add(includeCommandLineAPI);
    this.#channel.request(
      'Runtime.evaluate',
      {
        expression: loadModulesExpression,
        timeout: loadTimeoutMs,
        silent: true,
        returnByValue: true,
        includeCommandLineAPI,
      },
      () => undefined,
    );
  }

  #receiveParsed(message: Record<string, unknown>): void {
    const id = message['id'];
    if (typeof id === 'number') {
      this.#channel.settle(
        id,
        message['error'] === undefined ? { result: message['result'] } : { error: message['error'] },
      );
    } else if (typeof message['method'] === 'string') {
      this.#events.emit(message['method'], message['params']);
    }
  }

  async #exchange(request: { method: InspectorMethod; params: object; raw: boolean } & SendOptions): Promise<unknown> {
    const { method, timeoutMs, signal } = request;
    // Made here, so that the stack points at the caller.
    const timedOut = new SidescopeError(
      'inspector-timeout',
      `${method} on ${this.threadId} was not answered in ${timeoutMs} ms`,
    );
    const signals = [this.ended, ...(signal === undefined ? [] : [signal])];
    for (const each of signals) each.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => reject(timedOut), timeoutMs);
    const onAbort = (event: Event): void => reject((event.target as AbortSignal).reason as Error);
    for (const each of signals) each.addEventListener('abort', onAbort, { once: true });
    const id = this.#channel.request(method, request.params, (answer) => {
      if ('result' in answer) resolve(answer.result);
      else if ('error' in answer) reject(refusal(method, answer.error));
      else
        reject(
          new SidescopeError('target-gone', `${method} on ${this.threadId}: ${answer.lost.message}`, {
            cause: answer.lost,
          }),
        );
    });
    if (request.raw) this.#rawIds.add(id);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#rawIds.delete(id);
      for (const each of signals) each.removeEventListener('abort', onAbort);
    }
  }
}

type Evaluation =
  | { readonly expression: ExpressionText; readonly returnByValue: true }
  | { readonly expression: ExpressionText; readonly returnByValue: false; readonly objectGroup: 'sidescope' };

function resultOf(method: InspectorMethod, answer: Partial<EvaluateResult> | undefined): EvaluateResult['result'] {
  const { result, exceptionDetails } = answer ?? {};
  if (exceptionDetails !== undefined) {
    const reason = (exceptionDetails.exception?.description ?? exceptionDetails.text).split('\n', 1)[0]?.slice(0, 200);
    throw new SidescopeError('inspector-bad-answer', `a reading failed inside the target: ${reason}`);
  }
  if (result === undefined) throw new SidescopeError('inspector-bad-answer', `${method} was answered without a result`);
  return result;
}

function parseMessage(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    throw new SidescopeError(
      'inspector-bad-answer',
      `a frame of ${bytes.length} bytes from the inspector is not JSON`,
      { cause: error },
    );
  }
  if (typeof value !== 'object' || value === null) {
    throw new SidescopeError(
      'inspector-bad-answer',
      `a frame of ${bytes.length} bytes from the inspector is not a message`,
    );
  }
  return value as Record<string, unknown>;
}

function refusal(method: InspectorMethod, error: unknown): SidescopeError {
  const message =
    typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : 'no reason given';
  return new SidescopeError('inspector-refused', `${method}: ${message.slice(0, 200)}`);
}
