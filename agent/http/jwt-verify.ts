import { createHash } from 'node:crypto';
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import type { JSONWebKeySet, JWTPayload } from 'jose';
import { z } from 'zod';
import { SidescopeError } from '../../protocol/error.ts';
import { clockToleranceSeconds, jwtAlgorithms } from './jwt-header.ts';
import type { JwtRefusalReason } from './jwt-refusal.ts';

// Imported only with --jwks: jose costs 35 ms and some MB.

/** The issuer's public keys, as they were at one reading. */
export interface KeySet {
  readonly size: number;
  /** Of all keys. */
  readonly fingerprint: string;
  /** By key id: each changes with its key. */
  readonly fingerprints: ReadonlyMap<string, string>;
  readonly find: ReturnType<typeof createLocalJWKSet>;
}

const keysMax = 100;

const keySetSchema = z.object({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().max(1_000).optional() })).max(keysMax),
});

/** Keys of other kinds are left out, and so are private and shared ones: they have no business there. Throws `jwt-keys-unavailable`. */
export function parseKeySet(text: string, name: string): KeySet {
  const parsed = keySetSchema.safeParse(parseJson(text, name));
  if (!parsed.success)
    throw new SidescopeError('jwt-keys-unavailable', `${name} is not a JSON Web Key Set of at most ${keysMax} keys`);
  const keys = parsed.data.keys.filter((key) => ['RSA', 'EC', 'OKP'].includes(key.kty) && key['d'] === undefined);
  if (keys.length === 0)
    throw new SidescopeError(
      'jwt-keys-unavailable',
      `${name} has no public key (RSA, EC, OKP) among its ${parsed.data.keys.length} keys`,
    );
  const byId = Map.groupBy(keys, ({ kid }) => kid);
  const fingerprints = new Map([...byId].flatMap(([id, group]) => (id === undefined ? [] : [[id, hashOf(group)]])));
  const find = createLocalJWKSet({ keys } as JSONWebKeySet);
  return { size: keys.length, fingerprint: hashOf(keys), fingerprints, find };
}

export interface Expected {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly nowMs: number;
}

/** One check of a signature: 0.03 ms (RS256) to 0.5 ms (ES512) of a thread of the pool. Never rejects. */
export async function verifyJwt(
  token: string,
  keys: KeySet,
  expected: Expected,
): Promise<{ readonly claims: JWTPayload } | { readonly refused: JwtRefusalReason }> {
  try {
    const { payload } = await jwtVerify(token, keys.find, {
      algorithms: [...jwtAlgorithms],
      issuer: expected.issuer,
      audience: [...expected.audiences],
      requiredClaims: ['exp', 'sub'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(expected.nowMs),
    });
    return { claims: payload };
  } catch (error) {
    return { refused: reasonOf(error) };
  }
}

function reasonOf(error: unknown): JwtRefusalReason {
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return 'missing-claim';
    if (error.reason !== 'check_failed') return 'malformed-claim';
    return reasonOfClaim[error.claim] ?? 'malformed-claim';
  }
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown-key';
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'ambiguous-key';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return 'malformed';
  // What is left comes from importing the key: WebCrypto's errors, and jose's for keys that are too short.
  return 'unusable-key';
}

const reasonOfClaim: Readonly<Record<string, JwtRefusalReason>> = {
  nbf: 'not-yet-valid',
  iss: 'wrong-issuer',
  aud: 'wrong-audience',
};

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // V8's message would quote the text.
    throw new SidescopeError('jwt-keys-unavailable', `${name} is not JSON`);
  }
}

function hashOf(keys: readonly object[]): string {
  return createHash('sha256').update(JSON.stringify(keys), 'utf8').digest('base64');
}
