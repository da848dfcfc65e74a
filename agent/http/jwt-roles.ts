import type { Scope } from '../../protocol/rest/route.ts';
import type { RoleScopes } from '../options/jwt-values.ts';

/** The scopes of all roles in the claim, each once, in the order of the rules. */
export function scopesOfClaims(
  claims: Readonly<Record<string, unknown>>,
  { claim, roles }: { claim: string; roles: readonly RoleScopes[] },
): Scope[] {
  const given = rolesOf(claims, claim);
  return [...new Set(roles.flatMap(({ role, scopes }) => (given.includes(role) ? scopes : [])))];
}

/**
 * A name as it is (`https://example.com/roles` of Auth0), else a path (`realm_access.roles` of Keycloak). A list of texts, or one
 * text; `true` for claims such as `is_admin`. Only `scope` and `scp` are lists divided by spaces (RFC 8693): elsewhere a user
 * could choose a name with a space and a role in it.
 */
export function rolesOf(claims: Readonly<Record<string, unknown>>, claim: string): string[] {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : valueAt(claims, claim.split('.'));
  if (Array.isArray(value)) return value.filter((role) => typeof role === 'string');
  if (value === true) return ['true'];
  if (typeof value !== 'string') return [];
  return /(?:^|\.)(?:scope|scp)$/.test(claim) ? value.split(' ') : [value];
}

function valueAt(claims: unknown, path: readonly string[]): unknown {
  let value = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}
