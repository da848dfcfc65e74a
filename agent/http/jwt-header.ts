import type { JwtRefusal } from './jwt-refusal.ts';

export interface JwtHeader {
  readonly algorithm: string;
  readonly keyId: string | undefined;
}

/** Kubernetes' tokens have about 1,200; those of identity providers with hundreds of groups some thousands. */
export const jwtCharactersMax = 8192;

/** Between the issuer's clock and ours. */
export const clockToleranceSeconds = 60;

/** Asymmetric ones only: a secret shared with the issuer would let the agent, and whoever reads its memory, make tokens. */
export const jwtAlgorithms: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** Three parts of base64url; the first begins as `{"` does. Other tokens have no reason to look like it. */
export function looksLikeJwt(token: string): boolean {
  return token.startsWith('eyJ') && /^[\w-]+\.[\w-]*\.[\w-]*$/.test(token);
}

/** What can be refused without arithmetic, so that the dear check is left for tokens that name a key of ours. */
export function readJwtHeader(token: string): JwtHeader | JwtRefusal {
  if (token.length > jwtCharactersMax) return { refused: 'too-large' };
  const [head = '', ...rest] = token.split('.');
  const header = rest.length === 2 ? jsonObject(head) : undefined;
  if (header === undefined) return { refused: 'malformed' };
  const { alg: algorithm, kid } = header;
  if (kid !== undefined && typeof kid !== 'string') return { refused: 'malformed' };
  const keyId = kid?.slice(0, 100);
  if (typeof algorithm !== 'string' || !jwtAlgorithms.includes(algorithm)) return { refused: 'algorithm', keyId };
  if (header['jwk'] !== undefined) return { refused: 'embedded-key', keyId };
  if (header['crit'] !== undefined || header['b64'] !== undefined) return { refused: 'critical-header', keyId };
  return { algorithm, keyId: kid };
}

function jsonObject(base64url: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    // Not JSON: anybody may send anything.
    return undefined;
  }
}
