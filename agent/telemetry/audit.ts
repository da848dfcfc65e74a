import { pino } from 'pino';
import type { DestinationStream } from 'pino';

/** What a subject showed to get in. */
export type CredentialKind = 'generated-token' | 'file-token' | 'minted-token' | 'jwt';

/** One action that somebody asked for over HTTP, as it ended. Never holds a credential. */
export interface AuditRecord {
  readonly requestId: string;
  /** Name of the credential; null when there was none that is right. */
  readonly subject: string | null;
  readonly scopes: readonly string[];
  /** What was shown to get in; null when nothing that is right. */
  readonly credential: CredentialKind | 'ticket' | 'local-socket' | null;
  readonly action: string;
  readonly target?: string | undefined;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** `ok`, `aborted` (the client left), or the code of the problem. */
  readonly result: string;
  readonly status: number;
  readonly durationMs: number;
  /** Bytes of an artifact that left the agent. */
  readonly bytes?: number | undefined;
  readonly profileId?: string | undefined;
  readonly operationId?: string | undefined;
  readonly sha256?: string | undefined;
}

export interface Audit {
  write(record: AuditRecord): void;
}

/** JSON lines whatever `--log-level` is: who did what must not depend on how talkative the log is. */
export function createAudit(destination?: DestinationStream): Audit {
  const lines = pino(
    {
      base: null,
      level: 'info',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: () => ({ audit: true }) },
    },
    destination ?? pino.destination({ fd: 2, sync: true }),
  );
  return { write: (record) => lines.info(record) };
}
