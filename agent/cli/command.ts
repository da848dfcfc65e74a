/** What a command is handed: it reads no argv, environment or signal by itself. */
export interface CommandContext {
  /** Without the command's own name. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** Aborted by Ctrl-C and the like. */
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
  /** To stderr. */
  readonly say: (text: string) => void;
}

/** Resolves with the exit code; rejects with a SidescopeError that `main.ts` prints. */
export type Command = (context: CommandContext) => Promise<number>;
