import { SidescopeError } from '../../protocol/error.ts';
import { clockExpression } from '../../protocol/inspector/expressions.ts';
import { snapshotChunkRange } from '../../protocol/inspector/message-bytes.ts';
import { decodeClock, type ClockReading } from '../../protocol/inspector/readings.ts';
import { unescapeJsonString } from '../../protocol/inspector/unescape-json.ts';
import type { CaptureCost } from '../../protocol/rest/profile.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import type { ArtifactWriter } from '../store/artifact.ts';
import { pacedGc } from '../telemetry/paced-gc.ts';
import { readUsage } from './read-usage.ts';

/** Received and not yet written. The target's peak is the same whether we read or not. */
const pauseAboveBytes = 8 * 1024 * 1024;
const resumeBelowBytes = 4 * 1024 * 1024;
/** V8 is silent for the second half of the pause: 55 s were seen at 507 MB of small objects. */
const silenceLimitMs = 10 * 60_000;
const longestMs = 2 * 60 * 60_000;

export interface SnapshotRecording {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly clock: ClockReading | null;
  /** Measured on the target's own clock. */
  readonly pauseMs: number | null;
  readonly cost: CaptureCost;
  readonly nodes: number | null;
  readonly edges: number | null;
}

export interface SnapshotProgress {
  readonly phase: string;
  readonly fraction: number | null;
  readonly bytes: number;
}

export interface SnapshotCaptureOptions {
  readonly attachment: Attachment;
  readonly thread: AttachedThread;
  readonly writer: ArtifactWriter;
  readonly expectedBytes: number;
  /** Abandons the file. V8 cannot be stopped, so the capture settles only when the target's pause is over. */
  readonly abandon: AbortSignal;
  readonly onProgress: (progress: SnapshotProgress) => void;
}

/**
 * Streams one heap snapshot to the writer in constant memory: each frame's bytes are unescaped and handed on, none becomes a string. Settles when V8 has ended,
 * whatever happened to the file; rejects with the abandon signal's reason, the writer's error (`disk-full`, `disk-budget`), `target-gone`, `inspector-timeout`.
 */
export async function captureHeapSnapshot(options: SnapshotCaptureOptions): Promise<SnapshotRecording> {
  const { attachment, thread } = options;
  const { session } = thread;
  const before = await readUsage(session);
  const clock = decodeClock(await session.evaluate(clockExpression, { timeoutMs: 10_000 }));
  const receiver = new ChunkReceiver(options);
  using _chunks = session.onBytes('HeapProfiler.addHeapSnapshotChunk', (message) => receiver.receive(message));
  using _progress = session.on('HeapProfiler.reportHeapSnapshotProgress', ({ done, total }) =>
    receiver.built(done, total),
  );
  const startedAtMs = Date.now();
  options.onProgress({ phase: 'the target is paused while V8 builds the snapshot', fraction: null, bytes: 0 });
  using silence = new SilenceWatch(session, () => receiver.isPaused);
  const snapshot = session.send(
    'HeapProfiler.takeHeapSnapshot',
    { reportProgress: true },
    { timeoutMs: longestMs, signal: silence.signal },
  );
  // Asked when the first chunk arrives: V8 writes them all in one go, so the answer is of the moment when the pause ends. Asked together with
  // the snapshot it may be answered before it: V8 13 (Node 24) takes the snapshot in a task of its own (1 ms read instead of 2,200).
  const clockAfter = receiver.begun
    .then(() => session.evaluate(clockExpression, { timeoutMs: longestMs, signal: silence.signal }))
    .then(decodeClock);
  const taken = await Promise.allSettled([snapshot]).then(([result]) => result);
  receiver.end();
  attachment.resumeReading();
  const moment = await Promise.allSettled([clockAfter]).then(([result]) => result);
  if (taken.status === 'rejected') throw taken.reason;
  const endedAtMs = Date.now();
  await receiver.finish();
  const after = await readUsage(session);
  const pauseMs = moment.status === 'fulfilled' ? (moment.value.monotonicUs - clock.monotonicUs) / 1000 : null;
  return {
    startedAtMs,
    endedAtMs,
    clock,
    pauseMs,
    nodes: receiver.counts.nodes,
    edges: receiver.counts.edges,
    cost: {
      pauseMs: pauseMs === null ? null : Math.round(pauseMs),
      rssBeforeBytes: before?.rssBytes ?? null,
      rssAfterBytes: after?.rssBytes ?? null,
      // The kernel's high-water mark, of the process's whole life: only a new one is this snapshot's.
      rssPeakBytes:
        after !== undefined && before !== undefined && after.maxRssBytes > before.maxRssBytes
          ? after.maxRssBytes
          : null,
    },
  };
}

/** Queue between the socket and the file, bounded by pausing the socket. */
class ChunkReceiver {
  readonly #options: SnapshotCaptureOptions;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #scratch = new Uint8Array(0);
  #pumping: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #head = '';
  #lastByte = 0;
  readonly #begun = Promise.withResolvers<undefined>();
  isPaused = false;

  constructor(options: SnapshotCaptureOptions) {
    this.#options = options;
  }

  get counts(): { nodes: number | null; edges: number | null } {
    const count = (name: string): number | null => {
      const found = new RegExp(`"${name}":(\\d+)`).exec(this.#head)?.[1];
      return found === undefined ? null : Number(found);
    };
    return { nodes: count('node_count'), edges: count('edge_count') };
  }

  /** Resolves with the first chunk, or at the end without one. */
  get begun(): Promise<undefined> {
    return this.#begun.promise;
  }

  end(): void {
    this.#begun.resolve(undefined);
  }

  built(done: number, total: number): void {
    if (total <= 0 || this.#options.writer.sizeBytes > 0) return;
    const phase = 'the target is paused while V8 builds the snapshot';
    this.#options.onProgress({ phase, fraction: (Math.min(done, total) / total) * 0.6, bytes: 0 });
  }

  receive(message: Uint8Array): void {
    this.#begun.resolve(undefined);
    pacedGc(message.length);
    // What nobody will read is dropped, so that the target gets rid of it.
    if (this.#failure !== undefined || this.#options.abandon.aborted) return;
    this.#queue.push(message);
    this.#queuedBytes += message.length;
    if (this.#queuedBytes > pauseAboveBytes && !this.isPaused) {
      this.isPaused = true;
      this.#options.attachment.pauseReading();
    }
    this.#pumping ??= this.#pump().finally(() => (this.#pumping = undefined));
  }

  /** Everything is with the writer. Rejects with what went wrong on the way. */
  async finish(): Promise<void> {
    await this.#pumping;
    this.#options.abandon.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure.error;
    if (!this.#head.startsWith('{"snapshot":') || this.#lastByte !== 0x7d) {
      throw new SidescopeError(
        'inspector-bad-answer',
        `V8 sent ${this.#options.writer.sizeBytes} bytes that are no whole snapshot`,
      );
    }
  }

  async #pump(): Promise<void> {
    try {
      for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift()) {
        if (!this.#options.abandon.aborted) await this.#write(message);
        this.#queuedBytes -= message.length;
        if (this.isPaused && this.#queuedBytes < resumeBelowBytes) this.#resume();
      }
    } catch (error) {
      this.#failure = { error };
      this.#queue.length = 0;
      this.#queuedBytes = 0;
      this.#resume();
    }
  }

  async #write(message: Uint8Array): Promise<void> {
    const { writer, expectedBytes, onProgress } = this.#options;
    const plain = this.#unescape(message);
    if (this.#head.length < 4096) this.#head += Buffer.from(plain.subarray(0, 4096)).toString('latin1');
    this.#lastByte = plain.at(-1) ?? this.#lastByte;
    await writer.write(plain);
    const share = Math.min(0.99, writer.sizeBytes / Math.max(1, expectedBytes));
    onProgress({ phase: 'receiving', fraction: 0.6 + 0.4 * share, bytes: writer.sizeBytes });
  }

  /** The result is valid until the next call. */
  #unescape(message: Uint8Array): Uint8Array {
    const range = snapshotChunkRange(message);
    if (range === undefined) throw new SidescopeError('inspector-bad-answer', 'a snapshot chunk has an unknown shape');
    if (this.#scratch.length < message.length) this.#scratch = new Uint8Array(message.length);
    const { written } = unescapeJsonString(message, range.start, this.#scratch);
    return this.#scratch.subarray(0, written);
  }

  #resume(): void {
    this.isPaused = false;
    this.#options.attachment.resumeReading();
  }
}

/** A snapshot has no fixed length; a target that says nothing at all for minutes is gone or stuck. */
class SilenceWatch implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(session: { readonly lastMessageAtMs: number }, isOurs: () => boolean) {
    this.#timer = setInterval(() => {
      const silentMs = performance.now() - session.lastMessageAtMs;
      if (isOurs() || silentMs < silenceLimitMs) return;
      this.#controller.abort(
        new SidescopeError(
          'inspector-timeout',
          `the target said nothing for ${Math.round(silentMs)} ms while it builds the snapshot`,
        ),
      );
    }, 5_000);
    this.#timer.unref();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
