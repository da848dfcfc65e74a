import { createHash, randomBytes } from 'node:crypto';
import type { ProfileFormat } from '../../protocol/rest/profile.ts';
import type { Subject } from './tokens.ts';

export interface TicketGrant {
  readonly profileId: string;
  readonly sha256: string;
  readonly format: ProfileFormat | undefined;
  /** It opens the redacted form only. */
  readonly redact: boolean;
  readonly subject: Subject;
  readonly expiresAtMs: number;
}

const lifetimeMs = 10 * 60_000;
const maxTickets = 1000;

/**
 * Download links: one artifact, its bytes as they were, one format, ten minutes or until the credential that asked
 * ends. Kept as hashes; the oldest goes when the table is full.
 */
export class Tickets {
  readonly #grants = new Map<string, TicketGrant>();
  readonly #now: () => number;

  constructor({ now = Date.now } = {}) {
    this.#now = now;
  }

  issue(request: Omit<TicketGrant, 'expiresAtMs'>): { ticket: string; expiresAtMs: number } {
    const ticket = randomBytes(32).toString('base64url');
    const expiresAtMs = Math.min(this.#now() + lifetimeMs, request.subject.expiresAtMs);
    this.#forgetOld();
    this.#grants.set(digestOf(ticket), { ...request, expiresAtMs });
    return { ticket, expiresAtMs };
  }

  /** Looked up by the hash of what was sent, so how long it takes tells nothing about the tickets there are. */
  find(ticket: string): TicketGrant | undefined {
    const grant = this.#grants.get(digestOf(ticket));
    return grant !== undefined && grant.expiresAtMs > this.#now() ? grant : undefined;
  }

  /** Oldest first, as a Map keeps them. */
  #forgetOld(): void {
    for (const [digest, { expiresAtMs }] of this.#grants) {
      if (expiresAtMs > this.#now() && this.#grants.size < maxTickets) break;
      this.#grants.delete(digest);
    }
  }
}

function digestOf(ticket: string): string {
  return createHash('sha256').update(ticket, 'utf8').digest('base64');
}
