import { randomUUID } from 'node:crypto';

export interface Session {
  readonly id: string;
  readonly startedAt: Date;
  readonly visitor: string;
  readonly pagesSeen: readonly { path: string; at: number }[];
}

const sessions = new Map<string, Session>();

/** The demo's leak: sessions are remembered here and never forgotten, about 40 kB each. */
export function rememberSession(visitor: string): Session {
  const pagesSeen = Array.from({ length: 400 }, (_, i) => ({ path: `/products/${i}`, at: i + 0.5 }));
  const session: Session = { id: randomUUID(), startedAt: new Date(), visitor, pagesSeen };
  sessions.set(session.id, session);
  return session;
}

export function countSessions(): number {
  return sessions.size;
}
