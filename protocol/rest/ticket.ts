import { z } from 'zod';

/** A download link that needs no header: for a plain `<a>` and `curl -C -`. GET and HEAD only, one artifact, one format. */
export const ticketSchema = z.object({
  url: z.string().describe('Path and query on this server'),
  expiresAt: z.iso.datetime(),
});
export type Ticket = z.infer<typeof ticketSchema>;
