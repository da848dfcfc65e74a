import { SidescopeError } from '../../protocol/error.ts';
import type { Route, Scope } from '../../protocol/rest/route.ts';
import type { Log } from '../telemetry/log.ts';
import type { AttemptBucket } from './attempt-bucket.ts';
import { looksLikeJwt } from './jwt-header.ts';
import { jwtRefusals } from './jwt-refusal.ts';
import type { JwtRefusal } from './jwt-refusal.ts';
import type { JwtAccess } from './jwt.ts';
import type { TicketGrant, Tickets } from './tickets.ts';
import type { Subject, Tokens } from './tokens.ts';

export interface Gate {
  readonly tokens: Tokens;
  readonly jwt: Pick<JwtAccess, 'isOn' | 'authenticate' | 'isCurrent'>;
  readonly tickets: Tickets;
  readonly attempts: AttemptBucket;
  readonly log: Pick<Log, 'warn'>;
}

export interface Admission {
  readonly subject: Subject;
  readonly grant?: TicketGrant;
}

export interface Credentials {
  readonly authorization: string | undefined;
  readonly ticket: string | undefined;
}

/** Rejects with `unauthorized`, `bad-ticket`, `jwt-keys-unavailable` or `too-many-attempts`. A route that is not public never gets past it without a credential. */
export async function admit(gate: Gate, route: Route, credentials: Credentials): Promise<Admission> {
  if (route.ticket && credentials.ticket !== undefined) return admitTicket(gate, credentials.ticket);
  const token = bearerToken(gate, credentials.authorization);
  const subject = token.length <= staticCharactersMax ? await gate.tokens.authenticate(token) : undefined;
  if (subject !== undefined) return { subject };
  if (!looksLikeJwt(token)) throw refusal(gate, 'unauthorized', 'the token is unknown or expired');
  if (!gate.jwt.isOn) throw refusal(gate, 'unauthorized', 'this agent takes no JWT: --jwks is not set');
  const outcome = await gate.jwt.authenticate(token);
  if ('refused' in outcome) throw jwtRefusal(gate, outcome);
  return { subject: outcome.subject };
}

/** False when the credential has expired, was taken out of the file, or its key was taken back since. */
export async function isStillAdmitted(
  { tokens, jwt }: Pick<Gate, 'tokens' | 'jwt'>,
  subject: Subject,
): Promise<boolean> {
  return subject.credential === 'jwt' ? jwt.isCurrent(subject) : await tokens.isCurrent(subject);
}

export function hasScope({ scopes }: Subject, scope: Scope): boolean {
  return scopes.includes('admin') || scopes.includes(scope);
}

export function requireScope(subject: Subject, scope: Scope): void {
  if (hasScope(subject, scope)) return;
  const has = subject.scopes.length === 0 ? 'none: no role of it is one of --jwt-role' : subject.scopes.join(', ');
  throw new SidescopeError('forbidden-scope', `needs the scope "${scope}"; the token "${subject.name}" has ${has}`, {
    details: { needed: scope, scopes: subject.scopes },
  });
}

async function admitTicket(gate: Gate, ticket: string): Promise<Admission> {
  const grant = gate.tickets.find(ticket);
  if (grant === undefined) throw refusal(gate, 'bad-ticket', 'the ticket is unknown or expired');
  if (!(await isStillAdmitted(gate, grant.subject)))
    throw new SidescopeError('bad-ticket', 'the token that the ticket was made with is no longer valid');
  return { subject: grant.subject, grant };
}

const staticCharactersMax = 512;

function bearerToken(gate: Gate, authorization: string | undefined): string {
  if (authorization === undefined) throw refusal(gate, 'unauthorized', 'the request has no Authorization header');
  const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization)?.[1];
  // The length of a JWT has a bound of its own.
  if (token !== undefined && (token.length <= staticCharactersMax || looksLikeJwt(token))) return token;
  const message = `the Authorization header is not "Bearer <token>" of at most ${staticCharactersMax} characters`;
  throw refusal(gate, 'unauthorized', message);
}

function jwtRefusal(gate: Gate, { refused: reason, keyId }: JwtRefusal): SidescopeError {
  const code = reason === 'no-keys' ? 'jwt-keys-unavailable' : 'unauthorized';
  const error = refusal(gate, code, `the JWT is refused: ${jwtRefusals[reason]}`);
  if (error.code === 'too-many-attempts') return error;
  // Never the token, and no more lines than the bucket has drops.
  gate.log.warn({ reason, keyId }, 'JWT refused');
  return new SidescopeError(error.code, error.message, { details: { reason } });
}

/** After the right ones were looked for: somebody who guesses cannot lock out somebody who knows. */
function refusal(
  gate: Gate,
  code: 'unauthorized' | 'bad-ticket' | 'jwt-keys-unavailable',
  message: string,
): SidescopeError {
  if (gate.attempts.take()) return new SidescopeError(code, message);
  return new SidescopeError('too-many-attempts', 'too many wrong credentials, from all clients together', {
    details: { retryAfterSeconds: 1 },
  });
}
