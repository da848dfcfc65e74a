/** Why a JWT is not accepted. The words are stable: they are in the log, in the answer's `details.reason` and in a metric's label. */
export const jwtRefusals = {
  'too-large': 'it has more than 8192 characters',
  malformed: 'it is not three base64url parts with JSON objects in the first two',
  algorithm: 'its algorithm is not one of RS256 to RS512, PS256 to PS512, ES256 to ES512, EdDSA and Ed25519',
  'embedded-key': 'its header brings a key of its own',
  'critical-header': 'its header has critical extensions',
  'unknown-key': 'no key of --jwks has its key id and algorithm',
  'ambiguous-key': 'it names no key id, and several keys of --jwks fit',
  'unusable-key': 'the key of --jwks that it names cannot check it: too short, private, or malformed',
  signature: 'its signature is wrong',
  'missing-claim': 'it lacks one of exp, iss, aud and sub',
  'malformed-claim': 'one of exp, nbf, iss, aud and sub is of the wrong type',
  expired: 'it is expired',
  'not-yet-valid': 'it is not valid yet',
  'wrong-issuer': 'its issuer is not --jwt-issuer',
  'wrong-audience': 'its audience is none of --jwt-audience',
  'no-keys': 'the keys of --jwks could not be read yet, or too long ago',
  'too-many-checks': 'too many signatures wait to be checked',
} as const;

export type JwtRefusalReason = keyof typeof jwtRefusals;

export interface JwtRefusal {
  readonly refused: JwtRefusalReason;
  /** As the token has it, which anybody may have made: bounded, for the log. */
  readonly keyId?: string | undefined;
}
