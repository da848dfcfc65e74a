import { randomUUID } from 'node:crypto';
import type { AlertNotice } from './alert-sink.ts';
import type { Receiver } from './delivery-queue.ts';
import { openCommand, profileLinks } from './links.ts';
import { postSigned } from './signed-post.ts';

export interface WebhookOptions {
  readonly url: URL;
  /** Read for every message, so that a new secret holds at once. Undefined: messages are not signed. */
  readonly secretFile: string | undefined;
  readonly agent: { readonly version: string; readonly environment: Readonly<Record<string, string>> };
}

/**
 * POST of `{ change, sentAt, agent, alert, links, open }` as JSON. `x-sidescope-signature: v1=<hex>` is the HMAC-SHA256 of `<x-sidescope-timestamp>.<body>`;
 * a receiver checks it and refuses old timestamps. `x-sidescope-delivery` stays the same when a message is sent again.
 */
export function webhook(options: WebhookOptions): Receiver {
  const { url, secretFile, agent } = options;
  const receiver = `webhook ${url.host}`;
  const ids = new WeakMap<AlertNotice, string>();
  return {
    name: 'webhook',
    isInterestedIn: () => true,
    async deliver(notice, signal) {
      const id = ids.get(notice) ?? randomUUID();
      ids.set(notice, id);
      const sentAt = new Date();
      const links = profileLinks(notice.alert);
      const body = JSON.stringify({
        change: notice.change,
        sentAt: sentAt.toISOString(),
        agent,
        alert: notice.alert,
        links,
        open: openCommand(agent.environment),
      });
      await postSigned(
        { url, secretFile, receiver, sentAt, body, id, event: `alert.${notice.change}`, version: agent.version },
        signal,
      );
    },
  };
}
