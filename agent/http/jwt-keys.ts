import type { Log } from '../telemetry/log.ts';
import { pauseAfter } from '../requests/retry.ts';
import type { RetryPauses } from '../requests/retry.ts';
import { formatJwksPlace } from '../options/jwt-values.ts';
import type { JwksPlace } from '../options/jwt-values.ts';
import { readKeySet, versionOfPlace } from './jwks-source.ts';
import type { JwksCredentials } from './jwks-source.ts';
import type { KeySet } from './jwt-verify.ts';

export interface JwtKeysOptions {
  readonly place: JwksPlace;
  readonly credentials: JwksCredentials;
  readonly log: Pick<Log, 'info' | 'warn'>;
  readonly now?: () => number;
  /** Only tests are in a hurry. */
  readonly times?: KeyTimes;
}

export interface KeyTimes {
  /** Between readings; a key that the issuer takes back is still trusted for so long. A new one is asked for when a token names it. */
  readonly refreshMs: number;
  readonly retry: RetryPauses;
  readonly timeoutMs: number;
}

const usualTimes: KeyTimes = {
  refreshMs: 10 * 60_000,
  // A sidecar starts before the network is up, and before the application that may be the issuer itself.
  retry: { firstMs: 1_000, longestMs: 5 * 60_000 },
  timeoutMs: 5_000,
};
/** Without an answer of the issuer for so long, nobody can know which keys it still stands by. */
const keptMs = 12 * 3_600_000;
/** Between two readings for tokens with unknown keys: anybody can make such a token. */
const cooldownMs = 30_000;
/** As the token file: one `stat` a second on use survives the links of a mounted ConfigMap. */
const recheckFileMs = 1_000;

/**
 * The issuer's keys, kept current: an address by a timer and for unknown key ids, a file on use. A reading that fails leaves the
 * keys of the one before, for twelve hours.
 */
export class JwtKeys implements Disposable {
  readonly #options: JwtKeysOptions;
  readonly #now: () => number;
  readonly #times: KeyTimes;
  readonly #abort = new AbortController();
  readonly counts = { ok: 0, failed: 0 };
  readonly name: string;
  #keys: KeySet | undefined;
  #version: string | undefined;
  #readAtMs = -Infinity;
  #triedAtMs = -Infinity;
  #failures = 0;
  #problem: string | undefined;
  #reading: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: JwtKeysOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#times = options.times ?? usualTimes;
    this.name = formatJwksPlace(options.place);
    void this.#read();
  }

  /** What went wrong at the last reading. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Of the last reading that succeeded; undefined without one. */
  get ageMs(): number | undefined {
    return this.#keys === undefined ? undefined : this.#now() - this.#readAtMs;
  }

  /** Those that may be used now, without waiting for a reading. */
  get current(): KeySet | undefined {
    return this.#now() - this.#readAtMs < keptMs ? this.#keys : undefined;
  }

  /** When the keys in use end unless they are read again. */
  get keptUntil(): Date {
    return new Date(this.#readAtMs + keptMs);
  }

  /** Waits for the first reading, and for a file that may have changed. Never rejects. */
  async get(): Promise<KeySet | undefined> {
    const isFile = 'path' in this.#options.place;
    if (isFile && this.#now() - this.#triedAtMs >= recheckFileMs) await this.#read();
    else if (isFile || this.#keys === undefined) await this.#reading;
    return this.current;
  }

  /** Reads again for a key id that is not there, unless that was done just now. Never rejects. */
  async getAnew(): Promise<KeySet | undefined> {
    if (this.#now() - this.#triedAtMs >= cooldownMs) await this.#read();
    else await this.#reading;
    return this.current;
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new Error('the agent is stopping'));
    clearTimeout(this.#timer);
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const { place, credentials, log } = this.#options;
    this.#triedAtMs = this.#now();
    clearTimeout(this.#timer);
    try {
      const version = await versionOfPlace(place);
      if (version === undefined || version !== this.#version || this.#problem !== undefined) {
        // jose is loaded with the first keys.
        const { parseKeySet } = await import('./jwt-verify.ts');
        const text = await readKeySet(place, {
          credentials,
          timeoutMs: this.#times.timeoutMs,
          signal: this.#abort.signal,
        });
        const keys = parseKeySet(text, this.name);
        if (keys.fingerprint !== this.#keys?.fingerprint)
          log.info({ jwks: this.name, keys: keys.size }, 'keys for JWT read');
        this.#keys = keys;
      }
      this.#version = version;
      this.#readAtMs = this.#now();
      this.#problem = undefined;
      this.#failures = 0;
      this.counts.ok += 1;
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      // The old keys stay: an issuer that is away must not lock everybody out.
      const problem = error instanceof Error ? error.message : String(error);
      if (problem !== this.#problem) log.warn({ jwks: this.name, problem }, 'keys for JWT cannot be read');
      this.#problem = problem;
      this.#failures += 1;
      this.counts.failed += 1;
    }
    this.#plan();
  }

  #plan(): void {
    if ('path' in this.#options.place || this.#abort.signal.aborted) return;
    const { refreshMs, retry } = this.#times;
    const isSound = this.#problem === undefined;
    // A thousand agents that were started together must not ask together for ever.
    const pauseMs = isSound ? refreshMs * (0.9 + 0.2 * Math.random()) : pauseAfter(this.#failures, retry, Math.random);
    this.#timer = setTimeout(() => void this.#read(), pauseMs).unref();
  }
}
