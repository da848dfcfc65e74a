import { createHmac } from 'node:crypto';
import { SidescopeError } from '../../protocol/error.ts';
import { readRegularFile } from '../regular-file.ts';
import { checkStatus, DeliveryError } from './delivery-error.ts';

export interface SignedPost {
  readonly url: URL;
  /** Read for every message, so that a new secret holds at once. Undefined: messages are not signed. */
  readonly secretFile: string | undefined;
  /** For messages. */
  readonly receiver: string;
  readonly sentAt: Date;
  /** JSON. */
  readonly body: string;
  /** The same when it is sent again. */
  readonly id: string;
  readonly event: string;
  readonly version: string;
}

/** One message to a webhook. `x-sidescope-signature: v1=<hex>` is the HMAC-SHA256 of `<x-sidescope-timestamp>.<body>`. Rejects with a `DeliveryError`. */
export async function postSigned(post: SignedPost, signal: AbortSignal): Promise<void> {
  const { url, secretFile, receiver, sentAt, body, id, event, version } = post;
  const headers = {
    'content-type': 'application/json',
    'user-agent': `sidescope/${version}`,
    'x-sidescope-delivery': id,
    'x-sidescope-event': event,
    ...(secretFile !== undefined && signature({ secret: await readSecret(secretFile), sentAt, body })),
  };
  await send({ url, receiver, init: { method: 'POST', headers, body, redirect: 'manual', signal } });
}

const minSecretBytes = 16;
const maxSecretBytes = 64 * 1024;

/** Without the line end that editors and `echo` leave. Rejects with a `DeliveryError`. */
export async function readSecret(path: string): Promise<string> {
  const text = await readRegularFile(path, { maxBytes: maxSecretBytes }).catch((error: unknown) => {
    if (!(error instanceof SidescopeError)) throw error;
    throw new DeliveryError(`the webhook's secret ${error.message}`, { isFinal: false, cause: error });
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
