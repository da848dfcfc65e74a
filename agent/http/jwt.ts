import { createHash } from 'node:crypto';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Log } from '../telemetry/log.ts';
import type { JwksPlace, RoleScopes } from '../options/jwt-values.ts';
import type { JwksCredentials } from './jwks-source.ts';
import { clockToleranceSeconds, readJwtHeader } from './jwt-header.ts';
import { JwtKeys } from './jwt-keys.ts';
import type { KeyTimes } from './jwt-keys.ts';
import type { JwtRefusal, JwtRefusalReason } from './jwt-refusal.ts';
import { scopesOfClaims } from './jwt-roles.ts';
import type { KeySet } from './jwt-verify.ts';
import { Turns } from '../turns.ts';
import type { Subject } from './tokens.ts';

export interface JwtOptions {
  /** Undefined: no JWT is accepted. */
  readonly place: JwksPlace | undefined;
  readonly credentials: JwksCredentials;
  /** Empty only where there is no place. */
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly roleClaim: string;
  readonly roles: readonly RoleScopes[];
  readonly log: Pick<Log, 'info' | 'warn'>;
  readonly now?: () => number;
  readonly times?: KeyTimes;
}

/** Of the four threads of Node's pool: the others are for files, whoever knocks. */
const checksAtOnce = 2;
/** Twice the connections of the listener. */
const checksWaitingMax = 512;
const admittedMax = 256;
/** The largest time that a Date holds. */
const latestMs = 8.64e15;

/**
 * Bearer tokens that an issuer has signed (JWT), by its public keys: users of the backend, Kubernetes' service accounts. A
 * token that was found right is remembered by its hash until it ends or its key goes, so a flood of wrong ones, whose
 * signatures are checked two at a time, does not stand in its way.
 */
export class JwtAccess implements Disposable {
  readonly #options: JwtOptions;
  readonly #now: () => number;
  readonly #keys: JwtKeys | undefined;
  readonly #turns = new Turns({ concurrency: checksAtOnce, waitingMax: checksWaitingMax });
  readonly #admitted = new Map<string, JwtSubject>();
  readonly #refused = new Map<JwtRefusalReason, number>();

  constructor(options: JwtOptions) {
    const { place, credentials, log, times } = options;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#keys =
      place === undefined
        ? undefined
        : new JwtKeys({ place, credentials, log, now: this.#now, ...(times !== undefined && { times }) });
  }

  /** With a file read already, so that what is wrong with it is known at the start. An address is not waited for. */
  static async open(options: JwtOptions): Promise<JwtAccess> {
    const access = new JwtAccess(options);
    if (options.place !== undefined && 'path' in options.place) await access.#keys?.get();
    return access;
  }

  get isOn(): boolean {
    return this.#keys !== undefined;
  }

  /** For the metrics, since the start. */
  get stats(): JwtStats {
    const { ok = 0, failed = 0 } = this.#keys?.counts ?? {};
    return { refused: this.#refused, readings: { ok, failed }, keysAgeMs: this.#keys?.ageMs };
  }

  /** Never rejects. May wait for a reading of the keys (5 s) and for the checks of others. */
  async authenticate(token: string): Promise<{ readonly subject: Subject } | JwtRefusal> {
    const outcome = await this.#authenticate(token);
    if ('refused' in outcome) this.#refused.set(outcome.refused, (this.#refused.get(outcome.refused) ?? 0) + 1);
    return outcome;
  }

  /** False when the token has ended, or its key was taken back since. */
  isCurrent(subject: Subject): boolean {
    return isJwtSubject(subject) && this.#isCurrent(subject, this.#keys?.current);
  }

  feature(): Feature {
    const name = 'jwt';
    const keys = this.#keys;
    if (keys === undefined)
      return {
        name,
        state: 'off',
        reason: '--jwks is not set',
        remedy: 'Set --jwks, --jwt-issuer and --jwt-audience.',
      };
    // Never rejects; of a file, what it finds is in the next answer.
    void keys.get();
    const { problem, current, ageMs } = keys;
    const remedy = 'Correct --jwks or what it names; it is read again by itself.';
    if (problem === undefined && current !== undefined)
      return { name, state: 'on', reason: `${current.size} keys of ${keys.name}`, remedy: null };
    if (problem === undefined) return { name, state: 'off', reason: `the keys of ${keys.name} are being read`, remedy };
    const consequence =
      current === undefined
        ? 'no JWT is accepted'
        : `the keys read ${Math.round((ageMs ?? 0) / 1000)} s ago are used until ${keys.keptUntil.toISOString()}`;
    return { name, state: 'failed', reason: `${problem}; ${consequence}`, remedy };
  }

  [Symbol.dispose](): void {
    this.#keys?.[Symbol.dispose]();
  }

  async #authenticate(token: string): Promise<{ readonly subject: Subject } | JwtRefusal> {
    const header = readJwtHeader(token);
    if ('refused' in header) return header;
    const keyId = header.keyId?.slice(0, 100);
    const key = createHash('sha256').update(token, 'utf8').digest('hex');
    let keys = await this.#keys?.get();
    if (keys === undefined) return { refused: 'no-keys', keyId };
    const known = this.#admitted.get(key);
    if (known !== undefined && this.#isCurrent(known, keys)) return { subject: known };
    this.#admitted.delete(key);
    if (header.keyId !== undefined && !keys.fingerprints.has(header.keyId)) keys = await this.#keys?.getAnew();
    if (keys === undefined) return { refused: 'no-keys', keyId };
    if (header.keyId !== undefined && !keys.fingerprints.has(header.keyId)) return { refused: 'unknown-key', keyId };
    const outcome = await this.#check(token, keys);
    if ('refused' in outcome) return { ...outcome, keyId };
    const { sub, exp } = outcome.claims;
    if (typeof sub !== 'string' || sub === '' || typeof exp !== 'number') return { refused: 'malformed-claim', keyId };
    const subject: JwtSubject = {
      // Control and format characters would let a name look like another one, or like a line of its own.
      name: sub.slice(0, 200).replace(/\p{C}/gu, '?'),
      scopes: scopesOfClaims(outcome.claims, { claim: this.#options.roleClaim, roles: this.#options.roles }),
      expiresAtMs: Math.min(latestMs, (exp + clockToleranceSeconds) * 1000),
      credential: 'jwt',
      key,
      keyId: header.keyId,
      keyFingerprint: fingerprintOf(header.keyId, keys),
    };
    this.#remember(subject);
    return { subject };
  }

  async #check(token: string, keys: KeySet) {
    const { issuer, audiences } = this.#options;
    const { verifyJwt } = await import('./jwt-verify.ts');
    using turn = this.#turns.take();
    if (turn === undefined) return { refused: 'too-many-checks' } as const;
    await turn.ready;
    return await verifyJwt(token, keys, { issuer, audiences, nowMs: this.#now() });
  }

  /** Oldest first, as a Map keeps them. */
  #remember(subject: JwtSubject): void {
    for (const key of this.#admitted.keys()) {
      if (this.#admitted.size < admittedMax) break;
      this.#admitted.delete(key);
    }
    this.#admitted.set(subject.key, subject);
  }

  #isCurrent({ expiresAtMs, keyId, keyFingerprint }: JwtSubject, keys: KeySet | undefined): boolean {
    return expiresAtMs > this.#now() && keys !== undefined && fingerprintOf(keyId, keys) === keyFingerprint;
  }
}

/** Remembers which key it was. A token without a key id ends with any change of the set. */
interface JwtSubject extends Subject {
  readonly keyId: string | undefined;
  readonly keyFingerprint: string | undefined;
}

function isJwtSubject(subject: Subject): subject is JwtSubject {
  return subject.credential === 'jwt';
}

function fingerprintOf(keyId: string | undefined, { fingerprint, fingerprints }: KeySet): string | undefined {
  return keyId === undefined ? fingerprint : fingerprints.get(keyId);
}

export interface JwtStats {
  readonly refused: ReadonlyMap<JwtRefusalReason, number>;
  readonly readings: { readonly ok: number; readonly failed: number };
  readonly keysAgeMs: number | undefined;
}
