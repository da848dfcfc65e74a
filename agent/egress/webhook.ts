import { DeliveryError } from '../alerts/delivery-error.ts';
import { openCommand, profileLinks } from '../alerts/links.ts';
import { postSigned } from '../alerts/signed-post.ts';
import { version } from '../version.ts';
import type { Destination } from './destination.ts';
import { SendError } from './send-error.ts';

export interface WebhookOptions {
  readonly url: URL;
  readonly secretFile: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

const attemptTimeoutMs = 10_000;

/** Tells that a profile is there, with a link to it and the command that opens it; the profile itself stays. Signed as alerts are. */
export function webhook({ url, secretFile, environment }: WebhookOptions): Destination {
  const receiver = `webhook ${url.host}`;
  return {
    where: url.host,
    takes: ['cpu', 'heap-snapshot', 'heap-sampling'],
    async send({ facts: { id, profile, service } }, { signal }) {
      const sentAt = new Date();
      const links = profileLinks({ profileIds: [id] });
      const body = JSON.stringify({
        sentAt: sentAt.toISOString(),
        agent: { version, environment },
        profile,
        service,
        links,
        open: openCommand(environment),
      });
      const post = { url, secretFile, receiver, sentAt, body, id, event: 'profile.stored', version };
      try {
        await postSigned(post, AbortSignal.any([signal, AbortSignal.timeout(attemptTimeoutMs)]));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DeliveryError)) throw error;
        const { message, isFinal, retryAfterMs } = error;
        const kind = isFinal ? ({ reason: 'refused', next: 'never' } as const) : undefined;
        const passing = { reason: 'unreachable', next: 'destination-waits' } as const;
        throw new SendError(message, { ...(kind ?? passing), retryAfterMs, cause: error });
      }
      return Buffer.byteLength(body);
    },
    [Symbol.dispose]: () => undefined,
  };
}
