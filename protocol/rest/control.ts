import { z } from 'zod';

/** What the local socket of an agent answers to `GET /agent`: enough to tell one agent from another. */
export const controlAgentSchema = z.object({
  pid: z.int(),
  version: z.string(),
  startedAt: z.iso.datetime(),
  dataDirectory: z.string().nullable(),
  /** Null while its port is taken. */
  admin: z.object({ url: z.string(), port: z.int() }).nullable(),
});
export type ControlAgent = z.infer<typeof controlAgentSchema>;

/** What it answers to `POST /token`, and what `sidescope token --json` prints with the link added. */
export const mintedTokenSchema = z.object({
  token: z.string(),
  expiresAt: z.iso.datetime(),
  agent: controlAgentSchema,
});
export type MintedToken = z.infer<typeof mintedTokenSchema>;

/** Inside the data directory, or inside a directory of its own when that cannot be had. */
export const controlSocketName = 'control/sidescope.sock';

/** The page with the token where no server and no log ever sees it. */
export function pageLink(adminUrl: string, token: string): string {
  return `${adminUrl}/api/v1/profiling/ui#token=${token}`;
}
