import { scopes } from '../../protocol/rest/route.ts';
import type { Scope } from '../../protocol/rest/route.ts';
import { isLoopbackHost } from '../loopback.ts';

/** Where an issuer's public keys are. */
export type JwksPlace = { readonly url: URL } | { readonly path: string };

/** What a role that the issuer gives is worth here. */
export interface RoleScopes {
  readonly role: string;
  readonly scopes: readonly Scope[];
}

type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** Over plain HTTP whoever is in between chooses the keys, and with them who is let in; on this machine nobody is. */
export function parseJwksPlace(text: string): Parsed<JwksPlace> {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text))
    return text.includes('\0') || text.trim() === ''
      ? { problem: 'must be a path or an address' }
      : { value: { path: text } };
  const url = URL.canParse(text) && text.length <= 2_000 ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    return { problem: 'must be a path, or an https address such as https://login.example.com/.well-known/jwks.json' };
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    return { problem: 'must have no user, password or part behind #; a token goes into --jwks-token-file' };
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname.replace(/^\[|\]$/g, '')))
    return { problem: 'must be https, or an address of this machine; or save the keys as a file' };
  return { value: { url } };
}

export function formatJwksPlace(place: JwksPlace): string {
  return 'path' in place ? place.path : `${place.url.origin}${place.url.pathname}`;
}

/** `ROLE=SCOPE+SCOPE`; a role may hold colons and equals signs, as those of Kubernetes and of URLs do. */
export function parseRoleScopes(text: string): Parsed<RoleScopes> {
  const [, role = '', list = ''] = /^([^\p{C}]{1,200})=([a-z+]+)$/u.exec(text) ?? [];
  const chosen = scopes.filter((scope) => list.split('+').includes(scope));
  if (role !== '' && chosen.length === list.split('+').length) return { value: { role, scopes: chosen } };
  return { problem: `must be ROLE=SCOPE, of ${scopes.join(', ')}: profiling:admin=admin, or oncall=view+capture` };
}

export function formatRoleScopes({ role, scopes: granted }: RoleScopes): string {
  return `${role}=${granted.join('+')}`;
}
