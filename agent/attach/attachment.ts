import { SidescopeError } from '../../protocol/error.ts';
import { closeInspectorExpression, identityExpression } from '../../protocol/inspector/expressions.ts';
import { workerMessage } from '../../protocol/inspector/message-bytes.ts';
import { decodeIdentity, type IdentityReading } from '../../protocol/inspector/readings.ts';
import type { Thread } from '../../protocol/rest/target.ts';
import { InspectorSocket } from './inspector-socket.ts';
import { Session } from './session.ts';
import { WorkerChannel } from './worker-channel.ts';

/** A target inside a long native call answers only when that returns. */
const attachTimeoutMs = 10_000;
const leaveTimeoutMs = 1_000;
/** The target's exit waits while captures are rescued; longer than this would be harm. */
export const rescueTimeoutMs = 500;
/** Node sets no bound on workers; a storm of short ones is normal, thousands alive at once are not. */
const maxThreads = 1_024;

export interface AttachedThread {
  readonly thread: Thread;
  readonly session: Session;
}

export interface AttachmentListener {
  onThreads(): void;
  /** The target wants to exit and waits for us, at most `rescueTimeoutMs`. */
  onExiting(): void;
  onEnded(reason: SidescopeError): void;
}

/** Runs when the target wants to exit: ends a capture by its last answers. Must not wait for disk. */
export type Rescue = () => Promise<void>;

/** One connection to one run of a target: its threads' sessions, and the way out. */
export class Attachment implements AsyncDisposable {
  readonly identity: IdentityReading;
  readonly #socket: InspectorSocket;
  readonly #main: Session;
  readonly #mainThread: AttachedThread;
  /** By NodeWorker session id. */
  readonly #workers = new Map<string, AttachedThread>();
  readonly #rescues = new Set<Rescue>();
  readonly #listener: AttachmentListener;
  #isExiting = false;
  #isLeaving = false;

  /**
   * Opens the session, arms the exit protocol before anything else, and reads who the target is. What `early` sends to the main thread is answered together with
   * that: in a target that is busy with native calls, one call sooner.
   */
  static async open(
    webSocketUrl: string,
    options: { scriptUrl: string; listener: AttachmentListener; early?: (main: Session) => void; signal: AbortSignal },
  ): Promise<Attachment> {
    const { signal } = options;
    const socket = await InspectorSocket.open(webSocketUrl, { timeoutMs: attachTimeoutMs, signal });
    const main = new Session('main', socket);
    const early = new EarlyMessages(socket, main);
    try {
      using _exit = main.on('NodeRuntime.waitingForDisconnect', () => void leaveExitingTarget(socket, () => [main]));
      // Announced before there is an attachment that could take them.
      const workers: ((attachment: Attachment) => void)[] = [];
      using _added = main.on('NodeWorker.attachedToWorker', ({ sessionId, workerInfo }) =>
        workers.push((attachment) => attachment.#addWorker(sessionId, workerInfo)),
      );
      using _removed = main.on('NodeWorker.detachedFromWorker', ({ sessionId }) =>
        workers.push((attachment) => attachment.#removeWorker(sessionId)),
      );
      // Without this message our mere presence holds the target at its exit (18, 20; with a profiler running, all versions).
      const armed = main.send(
        'NodeRuntime.notifyWhenWaitingForDisconnect',
        { enabled: true },
        { timeoutMs: attachTimeoutMs, signal },
      );
      // All at once: each answer of a target that is busy in native code takes as long as one of its calls.
      const reading = main.evaluate(identityExpression, { timeoutMs: attachTimeoutMs, signal });
      const timeoutMs = attachTimeoutMs;
      const enabled = main.send('NodeWorker.enable', { waitForDebuggerOnStart: false }, { timeoutMs, signal });
      options.early?.(main);
      // What the first one says is the better reason.
      reading.catch(() => undefined);
      enabled.catch(() => undefined);
      await armed;
      const identity = decodeIdentity(await reading);
      early.stop();
      const attachment = new Attachment({
        socket,
        main,
        identity,
        scriptUrl: options.scriptUrl,
        listener: options.listener,
      });
      for (const happened of workers) happened(attachment);
      await enabled;
      return attachment;
    } catch (error) {
      socket.terminate();
      throw error;
    }
  }

  private constructor(parts: {
    socket: InspectorSocket;
    main: Session;
    identity: IdentityReading;
    scriptUrl: string;
    listener: AttachmentListener;
  }) {
    const { socket, main } = parts;
    this.identity = parts.identity;
    this.#socket = socket;
    this.#main = main;
    this.#listener = parts.listener;
    this.#mainThread = { thread: { id: 'main', kind: 'main', title: 'main', url: parts.scriptUrl }, session: main };
    socket.events.on('message', (message) => this.#receive(message));
    socket.events.once('closed', () => this.#onClosed());
    main.on('NodeRuntime.waitingForDisconnect', () => void this.#onWaitingForDisconnect());
    main.on('NodeWorker.attachedToWorker', ({ sessionId, workerInfo }) => this.#addWorker(sessionId, workerInfo));
    main.on('NodeWorker.detachedFromWorker', ({ sessionId }) => this.#removeWorker(sessionId));
    main.onBytes('NodeWorker.receivedMessageFromWorker', (message) => this.#receiveFromWorker(message));
    if (socket.closeInfo !== undefined) this.#onClosed();
  }

  /** Aborted with the reason when the connection is gone. */
  get ended(): AbortSignal {
    return this.#main.ended;
  }

  get main(): Session {
    return this.#main;
  }

  threads(): AttachedThread[] {
    return [this.#mainThread, ...[...this.#workers.values()].sort((a, b) => numberOf(a) - numberOf(b))];
  }

  /** Throws `unknown-thread`. */
  thread(id: string): AttachedThread {
    const threads = this.threads();
    const found = threads.find(({ thread }) => thread.id === id);
    if (found === undefined) {
      const known = threads.slice(0, 20).map(({ thread }) => thread.id);
      throw new SidescopeError(
        'unknown-thread',
        `the target has no thread ${JSON.stringify(id)}; it has ${known.join(', ')}`,
      );
    }
    return found;
  }

  onExit(rescue: Rescue): Disposable {
    this.#rescues.add(rescue);
    return { [Symbol.dispose]: () => void this.#rescues.delete(rescue) };
  }

  /** The target waits for us to leave: nothing needs to be undone in it any more, and each command would hold it longer. */
  get isExiting(): boolean {
    return this.#isExiting;
  }

  /** Backpressure for what the target streams. Everything else of this target waits too. */
  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  /** Leaves the target as it was: workers first, then the exit protocol, then the socket. Closing alone ends V8's profilers as well. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave();
  }

  /**
   * Leaves, and closes the inspector behind us. The target is held until every client of its inspector is gone, so `isSafe` is asked last: it says whether there
   * is no other. Resolves with whether the target was told; it does so as soon as it can be interrupted.
   */
  async leaveAndCloseInspector(isSafe: () => Promise<boolean>): Promise<boolean> {
    let isTold = false;
    await this.#leave(async () => {
      if (this.isExiting || this.ended.aborted || !(await isSafe())) return;
      // Never answered: the target waits inside it for our socket to close.
      this.#main.evaluateLast(closeInspectorExpression);
      isTold = true;
    });
    return isTold;
  }

  async #leave(last?: () => Promise<void>): Promise<void> {
    if (this.#isLeaving || this.ended.aborted) return;
    this.#isLeaving = true;
    const timeoutMs = leaveTimeoutMs;
    const answers = await Promise.allSettled([
      this.#main.send('NodeWorker.disable', {}, { timeoutMs }),
      this.#main.send('NodeRuntime.notifyWhenWaitingForDisconnect', { enabled: false }, { timeoutMs }),
    ]);
    // A target that is gone or does not answer is left all the same: the close below undoes both.
    void answers;
    await last?.();
    this.#socket.terminate();
    this.#end(new SidescopeError('shutting-down', 'the agent left the target'));
  }

  #receive(message: Uint8Array): void {
    try {
      this.#main.receive(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  #receiveFromWorker(message: Uint8Array): void {
    const inner = workerMessage(message);
    if (inner === undefined) throw new SidescopeError('inspector-bad-answer', 'a worker message has an unknown shape');
    this.#workers.get(inner.sessionId)?.session.receive(inner.message);
  }

  #addWorker(sessionId: string, info: { workerId: string; title: string; url: string }): void {
    if (this.#workers.size >= maxThreads) return;
    const id = this.#workerId(info);
    const thread = { id, kind: 'worker', title: info.title.slice(0, 200), url: info.url.slice(0, 1000) } as const;
    this.#workers.set(sessionId, { thread, session: new Session(id, new WorkerChannel(this.#main, sessionId)) });
    this.#listener.onThreads();
  }

  /**
   * By the worker's own `threadId`, which is the same for every client and in the application's logs: its title begins with it (18-26). The inspector's number counts
   * in the order of a hash table, anew for each client. Old titles without it have that number, and a mark where another worker has the same.
   */
  #workerId({ workerId, title }: { workerId: string; title: string }): string {
    const id = `worker-${/^\[?worker (\d{1,9})\b/i.exec(title)?.[1] ?? workerId}`;
    const isTaken = [...this.#workers.values()].some(({ thread }) => thread.id === id);
    return isTaken ? `${id}-${workerId}` : id;
  }

  #removeWorker(sessionId: string): void {
    const found = this.#workers.get(sessionId);
    if (found === undefined) return;
    this.#workers.delete(sessionId);
    found.session.end(new SidescopeError('target-gone', `thread ${found.thread.id} (${found.thread.title}) ended`));
    this.#listener.onThreads();
  }

  async #onWaitingForDisconnect(): Promise<void> {
    if (this.#isExiting) return;
    this.#isExiting = true;
    this.#listener.onExiting();
    // All threads at once: one after the other costs the exit 150 ms instead of 60 (main and three workers).
    const rescues = Promise.allSettled([...this.#rescues].map((rescue) => rescue()));
    await leaveExitingTarget(this.#socket, () => this.threads().map(({ session }) => session), rescues);
    this.#end(new SidescopeError('target-gone', 'the target exited'));
  }

  #onClosed(): void {
    const { code, reason } = this.#socket.closeInfo ?? { code: 0, reason: '' };
    const kind = code === 1009 ? 'inspector-message-too-large' : 'target-gone';
    this.#end(
      new SidescopeError(kind, `the target closed the inspector connection (${code}${reason && ` ${reason}`})`),
    );
  }

  #fail(error: unknown): void {
    this.#socket.terminate();
    this.#end(
      error instanceof SidescopeError
        ? error
        : new SidescopeError('inspector-bad-answer', 'a message from the inspector could not be read', {
            cause: error,
          }),
    );
  }

  #end(reason: SidescopeError): void {
    if (this.ended.aborted) return;
    for (const { session } of this.threads()) session.end(reason);
    this.#listener.onEnded(reason);
  }
}

/**
 * Closes the socket of a target that waits for that at its exit: after the rescues, and when every command of ours is answered, or after
 * `rescueTimeoutMs`. Closed with a command unanswered, the exiting process dies of SIGSEGV instead: 21 of 60 times on Node 18, 4 of 60 on 20 and 22, never on 24 and 26.
 */
async function leaveExitingTarget(
  socket: InspectorSocket,
  sessions: () => readonly Session[],
  rescues: Promise<unknown> = Promise.resolve(),
): Promise<void> {
  const { promise: done, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), rescueTimeoutMs);
  const nudge = setInterval(() => nudgeAcknowledgement(sessions()[0]), nudgeMs);
  let isRescued = false;
  const check = (): void => {
    if (isRescued && sessions().every(({ outstanding }) => outstanding === 0)) resolve(undefined);
  };
  // A settled rescue's capture may send a last command in the same turn; that one is waited for too.
  void rescues.then(() => {
    clearInterval(nudge);
    setImmediate(() => ((isRescued = true), check()));
  });
  const onMessage = (): void => void setImmediate(check);
  socket.events.on('message', onMessage);
  socket.events.once('closed', () => resolve(undefined));
  await done;
  clearTimeout(timer);
  clearInterval(nudge);
  socket.events.off('message', onMessage);
  socket.terminate();
}

function numberOf({ thread }: AttachedThread): number {
  return Number(/\d+/.exec(thread.id)?.[0]);
}

const nudgeMs = 3;

/**
 * The target's answers wait for our acknowledgement of the ones before (Nagle), which the kernel delays by 40 ms unless we send something:
 * with a command every 3 ms an exit with four profiled threads is over after 25-35 ms instead of 60-68.
 */
function nudgeAcknowledgement(main: Session | undefined): void {
  // Only its bytes count: the answer, and whether there is one, is of no interest.
  main?.send('Runtime.getHeapUsage', {}, { timeoutMs: rescueTimeoutMs }).catch(() => undefined);
}

/** Reads messages while the attachment does not exist yet, so that its first commands get their answers. */
class EarlyMessages {
  readonly #stop: () => void;

  constructor(socket: InspectorSocket, main: Session) {
    const onMessage = (message: Buffer): void => {
      try {
        main.receive(message);
      } catch (error) {
        main.end(error as SidescopeError);
      }
    };
    const onClosed = (): void => {
      const { code } = socket.closeInfo ?? { code: 0 };
      const kind = code === 1009 ? 'inspector-message-too-large' : 'target-gone';
      main.end(new SidescopeError(kind, `the inspector closed the connection (${code}) while we attached`));
    };
    socket.events.on('message', onMessage);
    socket.events.once('closed', onClosed);
    socket.resume();
    this.#stop = () => {
      socket.events.off('message', onMessage);
      socket.events.off('closed', onClosed);
    };
  }

  stop(): void {
    this.#stop();
  }
}
