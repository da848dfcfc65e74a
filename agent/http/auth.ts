import { SidescopeError } from '../../protocol/error.ts';
import type { Route, Scope } from '../../protocol/rest/route.ts';
import type { AttemptBucket } from './attempt-bucket.ts';
import type { TicketGrant, Tickets } from './tickets.ts';
import type { Subject, Tokens } from './tokens.ts';

export interface Gate {
  readonly tokens: Tokens;
  readonly tickets: Tickets;
  readonly attempts: AttemptBucket;
}

export interface Admission {
  readonly subject: Subject;
  readonly grant?: TicketGrant;
}

export interface Credentials {
  readonly authorization: string | undefined;
  readonly ticket: string | undefined;
}

/** Rejects with `unauthorized`, `bad-ticket` or `too-many-attempts`. A route that is not public never gets past it without a credential. */
export async function admit(gate: Gate, route: Route, credentials: Credentials): Promise<Admission> {
  if (route.ticket && credentials.ticket !== undefined) return admitTicket(gate, credentials.ticket);
  const token = bearerToken(gate, credentials.authorization);
  const subject = await gate.tokens.authenticate(token);
  if (subject === undefined) throw refusal(gate, 'unauthorized', 'the token is unknown or expired');
  return { subject };
}

export function hasScope({ scopes }: Subject, scope: Scope): boolean {
  return scopes.includes('admin') || scopes.includes(scope);
}

export function requireScope(subject: Subject, scope: Scope): void {
  if (hasScope(subject, scope)) return;
  throw new SidescopeError(
    'forbidden-scope',
    `needs the scope "${scope}"; the token "${subject.name}" has ${subject.scopes.join(', ')}`,
    { details: { needed: scope, scopes: subject.scopes } },
  );
}

async function admitTicket(gate: Gate, ticket: string): Promise<Admission> {
  const grant = gate.tickets.find(ticket);
  if (grant === undefined) throw refusal(gate, 'bad-ticket', 'the ticket is unknown or expired');
  if (!(await gate.tokens.isCurrent(grant.subject)))
    throw new SidescopeError('bad-ticket', 'the token that the ticket was made with is no longer valid');
  return { subject: grant.subject, grant };
}

function bearerToken(gate: Gate, authorization: string | undefined): string {
  if (authorization === undefined) throw refusal(gate, 'unauthorized', 'the request has no Authorization header');
  const token = /^Bearer +([\w.~+/=-]{1,512})$/i.exec(authorization)?.[1];
  if (token !== undefined) return token;
  throw refusal(gate, 'unauthorized', 'the Authorization header is not "Bearer <token>" of at most 512 characters');
}

/** After the right ones were looked for: somebody who guesses cannot lock out somebody who knows. */
function refusal(gate: Gate, code: 'unauthorized' | 'bad-ticket', message: string): SidescopeError {
  if (gate.attempts.take()) return new SidescopeError(code, message);
  return new SidescopeError('too-many-attempts', 'too many wrong credentials, from all clients together', {
    details: { retryAfterSeconds: 1 },
  });
}
