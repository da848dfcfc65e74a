import http from 'node:http';
import https from 'node:https';
import { defaultStackParser, makeNodeTransport, NodeClient, Scope } from '@sentry/node';
import { checkStatus, DeliveryError } from './delivery-error.ts';

export interface SentryEvent {
  /** 32 hex digits. */
  readonly eventId: string;
  readonly message: string;
  readonly level: 'info' | 'warning' | 'fatal';
  readonly timestampMs: number;
  readonly fingerprint: readonly string[];
  readonly release: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly contexts: Readonly<Record<string, Record<string, unknown>>>;
  readonly attachments: readonly { readonly filename: string; readonly contentType: string; readonly data: string }[];
}

export interface SentryClient {
  /** Resolves when Sentry has taken it. Rejects with a `DeliveryError`. One at a time. */
  send(event: SentryEvent, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

type Transport = ReturnType<typeof makeNodeTransport>;
type Outcome = Awaited<ReturnType<Transport['send']>>;

/** Facts and memory statistics have two levels, and lists of spaces a third. */
const normalizeDepth = 5;

/**
 * A client of the SDK that stands by itself: no global scope, no integrations, no tracing, nothing patched. It makes the events and speaks to Sentry;
 * what becomes of an envelope is told to the caller, who keeps the queue.
 */
export function createSentryClient({
  dsn,
  environment,
}: {
  dsn: string;
  environment: string | undefined;
}): SentryClient {
  const { host } = new URL(dsn);
  const receiver = `Sentry at ${host}`;
  let sent: PromiseWithResolvers<Outcome> | undefined;
  let signal: AbortSignal | undefined;
  const client = new NodeClient({
    dsn,
    ...(environment !== undefined && { environment }),
    integrations: [],
    stackParser: defaultStackParser,
    // The SDK's own way out, but with an end to every request.
    transport: (options) => {
      const modules = { http, https } as const;
      const module = modules[new URL(options.url).protocol === 'https:' ? 'https' : 'http'];
      const inner = makeNodeTransport({
        ...options,
        keepAlive: false,
        httpModule: {
          request: (parameters, callback) =>
            module.request(
              { ...(parameters as http.RequestOptions), signal },
              callback as ((answer: http.IncomingMessage) => void) | undefined,
            ),
        },
      });
      return {
        flush: (timeoutMs) => inner.flush(timeoutMs),
        async send(envelope) {
          const outcome = inner.send(envelope);
          sent?.resolve(outcome);
          return outcome.then(
            (answer) => answer,
            // Told by `sent`; the SDK has nobody who would listen.
            () => ({}),
          );
        },
      };
    },
    attachStacktrace: false,
    enableRuntimeChannelInjection: false,
    includeServerName: false,
    normalizeDepth,
    sendClientReports: false,
  });
  const scope = new Scope();
  scope.setClient(client);

  return {
    async send(event, abort) {
      sent = Promise.withResolvers<Outcome>();
      signal = abort;
      const { eventId, timestampMs, attachments, fingerprint, release, contexts, ...rest } = event;
      const aborted = Promise.withResolvers<never>();
      const onAbort = (): void =>
        aborted.reject(new DeliveryError(`${receiver} did not answer in time`, { isFinal: false }));
      abort.addEventListener('abort', onAbort, { once: true });
      if (abort.aborted) onAbort();
      try {
        client.captureEvent(
          {
            ...rest,
            event_id: eventId,
            timestamp: timestampMs / 1000,
            fingerprint: [...fingerprint],
            ...(release !== undefined && { release }),
            contexts: { ...contexts },
            logger: 'sidescope',
          },
          { event_id: eventId, attachments: [...attachments] },
          scope,
        );
        check(await Promise.race([sent.promise.catch(unreachable), aborted.promise]));
      } finally {
        abort.removeEventListener('abort', onAbort);
        sent = undefined;
      }
    },
    close: async () => void (await client.close(0)),
  };

  function unreachable(error: unknown): never {
    const { code = 'no connection' } = error as NodeJS.ErrnoException;
    const why = signal?.aborted === true ? 'did not answer in time' : `cannot be reached (${code})`;
    throw new DeliveryError(`${receiver} ${why}`, { isFinal: false, cause: error });
  }

  function check({ statusCode, headers }: Outcome): void {
    // The SDK keeps an earlier answer's rate limit and sends nothing until it is over.
    if (statusCode === undefined)
      throw new DeliveryError(`${receiver} has asked for a pause`, { isFinal: false, retryAfterMs: 10_000 });
    checkStatus(receiver, { status: statusCode, retryAfter: headers?.['retry-after'] ?? null });
  }
}
