import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { SidescopeError } from '../../protocol/error.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { ChildFailure } from './child-failure.ts';
import { containerMemoryBytes } from './container-memory.ts';
import { childSilenceMs, SilenceWatch } from './silence-watch.ts';
import { WorkTally } from './work-tally.ts';

export interface RedactionRequest {
  readonly path: string;
  /** Hexadecimal. */
  readonly salt: string;
  readonly gzip: boolean;
}

export interface StoredSnapshot {
  readonly path: string;
  readonly profile: Pick<Profile, 'id' | 'sizeBytes' | 'snapshot'>;
}

export interface RedactionsOptions {
  /** Snapshots that may be redacted at once. Default 1. */
  readonly concurrency?: number | undefined;
  /** Of the container. Default: as the kernel says. */
  readonly containerBytes?: number | undefined;
  /** A process that is read from and writes nothing for so long is ended. Default: ten minutes. */
  readonly silenceMs?: number | undefined;
}

/** Node itself, its zlib, and the strings of the moment. */
const baseBytes = 70 * 2 ** 20;
/** 6 per node and 6 per string, which are fewer. */
const bytesPerNode = 12;
/** The least that V8 writes for a node with its edges and its part of the strings; measured are 66 to 75. */
const fileBytesPerNode = 40;

/**
 * Snapshots without their secrets, made while they go out: nothing is stored. Each in a process of its own, as it takes memory by the size of the snapshot. One salt for
 * the life of the agent: equal contents have equal replacements in all that it gives out, and a download that is asked for again has the same bytes.
 */
export class Redactions implements AsyncDisposable {
  readonly #salt = randomBytes(16);
  readonly #concurrency: number;
  readonly #containerBytes: number;
  readonly #silenceMs: number;
  readonly #children = new Set<ChildProcess>();
  readonly tally = new WorkTally();
  #isDisposed = false;

  constructor(options: RedactionsOptions = {}) {
    this.#concurrency = options.concurrency ?? 1;
    this.#containerBytes = options.containerBytes ?? containerMemoryBytes();
    this.#silenceMs = options.silenceMs ?? childSilenceMs;
  }

  /** What tells the redacted forms of one snapshot by different agents apart; says nothing about the salt. */
  get variant(): string {
    return createHash('sha256').update('sidescope-redaction').update(this.#salt).digest('hex').slice(0, 16);
  }

  /**
   * The bytes, as they are made. Throws `too-many-analyses`, `analysis-limit` (memory), `shutting-down`; the stream fails with `unreadable-profile`,
   * `damaged-profile`, `analysis-limit`. Destroying it ends the process.
   */
  open(snapshot: StoredSnapshot, { gzip }: { gzip: boolean }): Readable {
    try {
      this.#admit(snapshot);
    } catch (error) {
      this.tally.countFailure(error);
      throw error;
    }
    return this.#open(snapshot.path, gzip);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    const ends = [...this.#children].map(async (child) => {
      const end = once(child, 'close');
      child.kill('SIGKILL');
      await end;
    });
    await Promise.all(ends);
  }

  #admit({ profile }: StoredSnapshot): void {
    if (this.#isDisposed) throw new SidescopeError('shutting-down', 'the agent is stopping');
    if (this.#children.size >= this.#concurrency) {
      throw new SidescopeError(
        'too-many-analyses',
        `${this.#children.size} snapshots are being redacted, as many as may be`,
      );
    }
    this.#refuseTooLarge(profile);
  }

  #open(path: string, gzip: boolean): Readable {
    const startMs = performance.now();
    const child = spawn(process.execPath, ['--disable-sigusr1', '--max-old-space-size=128', childPath()], {
      // Nothing of the agent's: it needs no secrets.
      env: {},
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    let isLeft = false;
    const silence = new SilenceWatch(this.#silenceMs, () => child.kill('SIGKILL'));
    const ended = endOf(child, silence).finally(() => this.#children.delete(child));
    // Its failure is the stream's; one that nobody reads any more is nobody's, but counted.
    ended.then(
      () => this.tally.count('ok', startMs),
      (error: unknown) => (isLeft ? this.tally.count('aborted', startMs) : this.tally.countFailure(error, startMs)),
    );
    child.stdin.on('error', () => undefined);
    const request: RedactionRequest = { path, salt: this.#salt.toString('hex'), gzip };
    child.stdin.end(JSON.stringify(request));
    const stream = Readable.from(bytesOf(child, { ended, silence }), { objectMode: false, highWaterMark: 256 * 1024 });
    stream.once('close', () => {
      isLeft = this.#children.has(child);
      child.kill('SIGKILL');
    });
    return stream;
  }

  #refuseTooLarge({ id, sizeBytes, snapshot }: StoredSnapshot['profile']): void {
    const nodes = snapshot?.nodes ?? sizeBytes / fileBytesPerNode;
    const neededBytes = Math.ceil(baseBytes + nodes * bytesPerNode);
    const freeBytes = this.#containerBytes - process.memoryUsage.rss();
    if (neededBytes <= freeBytes) return;
    throw new SidescopeError(
      'analysis-limit',
      `redacting ${id} takes about ${neededBytes} bytes of memory, the container has ${Math.max(0, freeBytes)} left: download it whole, then \`sidescope heap redact IN OUT\``,
      { details: { neededBytes, freeBytes } },
    );
  }
}

async function* bytesOf(
  child: ChildProcess & { stdout: Readable },
  { ended, silence }: { ended: Promise<void>; silence: SilenceWatch },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) {
    // A slow reader is not its silence.
    silence.pause();
    yield chunk;
    silence.wait();
  }
  // The process may have ended before its last bytes were taken.
  silence.pause();
  // Only what ended well is whole.
  await ended;
}

async function endOf(child: ChildProcess & { stderr: Readable }, silence: SilenceWatch): Promise<void> {
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (said = (said + part).slice(0, 8_000)));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  silence.pause();
  if (code === 0) return;
  const how = silence.isOver ? 'silence, and was killed' : (signal ?? `exit code ${code}`);
  throw failureOf(said) ?? new SidescopeError('analysis-limit', `redacting ended with ${how}`);
}

function failureOf(said: string): SidescopeError | undefined {
  try {
    const { code, message } = JSON.parse(said) as ChildFailure;
    return new SidescopeError(code, message);
  } catch {
    // V8's own last words, when it is out of memory.
    return undefined;
  }
}

/** Beside this file, in the sources and in the bundle alike. */
function childPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'mjs';
  return fileURLToPath(new URL(`./redact-child.${extension}`, import.meta.url));
}
