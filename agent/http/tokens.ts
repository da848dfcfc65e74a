import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { SidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Scope } from '../../protocol/rest/route.ts';
import type { CredentialKind } from '../telemetry/audit.ts';
import { fileVersion } from '../regular-file.ts';
import { readTokenFile } from './token-file.ts';
import type { TokenEntry } from './token-file.ts';

/** Who asks, as long as `isCurrent` says so. */
export interface Subject {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** `Infinity` for a credential without an end. */
  readonly expiresAtMs: number;
  readonly credential: CredentialKind;
  /** SHA-256 of the token, hexadecimal: an identity, not a secret. */
  readonly key: string;
}

export interface TokensOptions {
  /** JSON: `{"tokens":[{"name","sha256","scopes":["admin"],"expires":"2026-12-31T00:00:00Z"}]}`. */
  readonly file?: string | undefined;
  readonly log: { warn(facts: object, message: string): void; info(facts: object, message: string): void };
  readonly now?: () => number;
}

// Watching does not survive the symbolic link swaps of a mounted Secret; one stat per second on use does.
const recheckMs = 1000;
const maxMinted = 100;

/**
 * The credentials. Without a file one token is generated, which may do everything. Only hashes are kept, so a weak
 * token in the file cannot be recognised: make them with `openssl rand`, not by hand.
 */
export class Tokens {
  /** The token made because no file is configured: for the terminal, once. Forgotten by `takeGenerated`. */
  #generated: string | undefined;
  #entries: readonly TokenEntry[] = [];
  readonly #minted: TokenEntry[] = [];
  readonly #options: TokensOptions;
  readonly #now: () => number;
  #version: string | undefined;
  #checkedAtMs = -Infinity;
  #problem: string | undefined;
  #refreshing: Promise<void> | undefined;

  private constructor(options: TokensOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Never rejects: a file that cannot be read leaves no token at all, and `feature` says so. */
  static async open(options: TokensOptions): Promise<Tokens> {
    const tokens = new Tokens(options);
    if (options.file === undefined) {
      tokens.#generated = generateToken();
      tokens.#entries = [entryOf(tokens.#generated, { name: 'default', scopes: ['admin'], expiresAtMs: Infinity })];
    } else {
      await tokens.#refresh();
    }
    return tokens;
  }

  /** The generated token, the first time it is asked for; afterwards only its hash is left. */
  takeGenerated(): string | undefined {
    const token = this.#generated;
    this.#generated = undefined;
    return token;
  }

  async authenticate(token: string): Promise<Subject | undefined> {
    await this.#refresh();
    const digest = digestOf(token);
    let found: TokenEntry | undefined;
    // All are compared, whichever matches: the time taken tells nothing.
    for (const entry of this.#all()) if (timingSafeEqual(entry.digest, digest)) found = entry;
    if (found === undefined || found.expiresAtMs <= this.#now()) return undefined;
    return {
      name: found.name,
      scopes: found.scopes,
      expiresAtMs: found.expiresAtMs,
      credential: this.#kindOf(found),
      key: digest.toString('hex'),
    };
  }

  /** False when the credential has expired or was taken out of the file since. */
  async isCurrent(subject: Subject): Promise<boolean> {
    await this.#refresh();
    const entry = this.#all().find(({ digest }) => digest.toString('hex') === subject.key);
    return entry !== undefined && entry.expiresAtMs > this.#now();
  }

  /** A new token beside the configured ones, for `ttlMs`, kept in memory only. At most 100 live at once. */
  mint(request: { name: string; scopes: readonly Scope[]; ttlMs: number }): { token: string; expiresAt: string } {
    const nowMs = this.#now();
    const live = this.#minted.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    this.#minted.splice(0, this.#minted.length, ...live);
    if (live.length >= maxMinted)
      throw new SidescopeError(
        'too-many-attempts',
        `${live.length} minted tokens are alive; the limit is ${maxMinted}`,
      );
    const token = generateToken();
    const expiresAtMs = nowMs + request.ttlMs;
    this.#minted.push(entryOf(token, { name: request.name, scopes: request.scopes, expiresAtMs }));
    return { token, expiresAt: new Date(expiresAtMs).toISOString() };
  }

  /** As of the last look at the file, which asking for it renews: repaired, the next answer says so. */
  feature(): Feature {
    const { file } = this.#options;
    // Never rejects; what it finds is in the next answer.
    void this.#refresh();
    if (this.#problem === undefined)
      return {
        name: 'authentication',
        state: 'on',
        reason: file === undefined ? 'one generated token; `sidescope token` gives more' : null,
        remedy: null,
      };
    return {
      name: 'authentication',
      state: 'failed',
      reason: `${this.#problem}; ${this.#entries.length} tokens read before stay valid`,
      remedy: 'Repair the file of `--token-file`: it is read again by itself.',
    };
  }

  #kindOf(entry: TokenEntry): CredentialKind {
    if (this.#minted.includes(entry)) return 'minted-token';
    return this.#options.file === undefined ? 'generated-token' : 'file-token';
  }

  #all(): TokenEntry[] {
    return [...this.#entries, ...this.#minted];
  }

  #refresh(): Promise<void> {
    const { file } = this.#options;
    if (file === undefined || this.#now() - this.#checkedAtMs < recheckMs) return this.#refreshing ?? Promise.resolve();
    this.#checkedAtMs = this.#now();
    this.#refreshing = this.#read(file).finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #read(file: string): Promise<void> {
    try {
      const version = await fileVersion(file);
      if (version !== undefined && version === this.#version) return;
      this.#entries = await readTokenFile(file);
      this.#version = version;
      this.#problem = undefined;
      this.#options.log.info({ file, tokens: this.#entries.length }, 'token file read');
    } catch (error) {
      // The old tokens stay: a half-written file must not lock everybody out.
      const problem = error instanceof Error ? error.message : String(error);
      if (problem !== this.#problem) this.#options.log.warn({ file, problem }, 'token file cannot be used');
      this.#problem = problem;
      this.#version = undefined;
    }
  }
}

/** 256 bits; the prefix lets secret scanners recognise it. */
function generateToken(): string {
  return `sst_${randomBytes(32).toString('base64url')}`;
}

function entryOf(token: string, facts: Omit<TokenEntry, 'digest'>): TokenEntry {
  return { ...facts, digest: digestOf(token) };
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}
