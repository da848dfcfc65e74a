import { createHmac, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { AlertNotice } from './alert-sink.ts';
import { checkStatus, DeliveryError } from './delivery-error.ts';
import type { Receiver } from './delivery-queue.ts';
import { openCommand, profileLinks } from './links.ts';

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
      const headers = {
        'content-type': 'application/json',
        'user-agent': `sidescope/${agent.version}`,
        'x-sidescope-delivery': id,
        'x-sidescope-event': `alert.${notice.change}`,
        ...(secretFile !== undefined && signature({ secret: await readSecret(secretFile), sentAt, body })),
      };
      await send({ url, receiver, init: { method: 'POST', headers, body, redirect: 'manual', signal } });
    },
  };
}

const minSecretBytes = 16;

/** Without the line end that editors and `echo` leave. Rejects with a `DeliveryError`. */
export async function readSecret(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw new DeliveryError(`the webhook's secret ${path} cannot be read (${code})`, { isFinal: false, cause: error });
  });
  const secret = text.replace(/\r?\n$/, '');
  if (Buffer.byteLength(secret) < minSecretBytes)
    throw new DeliveryError(`the webhook's secret in ${path} has fewer than ${minSecretBytes} bytes`, {
      isFinal: false,
    });
  return secret;
}

function signature({ secret, sentAt, body }: { secret: string; sentAt: Date; body: string }): Record<string, string> {
  const timestamp = String(Math.floor(sentAt.getTime() / 1000));
  const hex = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  return { 'x-sidescope-timestamp': timestamp, 'x-sidescope-signature': `v1=${hex}` };
}

async function send({ url, receiver, init }: { url: URL; receiver: string; init: RequestInit }): Promise<void> {
  const target = new URL(url);
  const headers = new Headers(init.headers);
  if (url.username !== '') {
    // fetch refuses credentials in an address.
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.set('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
    target.username = '';
    target.password = '';
  }
  let response: Response;
  try {
    response = await fetch(target, { ...init, headers });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    const why =
      init.signal?.aborted === true
        ? 'did not answer in time'
        : `cannot be reached (${cause?.code ?? 'no connection'})`;
    throw new DeliveryError(`${receiver} ${why}`, { isFinal: false, cause: error });
  }
  // Nothing in it matters, and it may never end.
  await response.body?.cancel().catch(() => undefined);
  checkStatus(receiver, { status: response.status, retryAfter: response.headers.get('retry-after') });
}
