import { createHash } from 'node:crypto';
import type { Alert } from '../../protocol/rest/alerts.ts';
import type { AlertNotice } from './alert-sink.ts';
import { DeliveryError } from './delivery-error.ts';
import type { Receiver } from './delivery-queue.ts';
import { openCommand, profileLinks } from './links.ts';
import { memoryEvidenceName } from './memory-evidence.ts';
import type { SentryClient, SentryEvent } from './sentry-client.ts';

export interface SentryOptions {
  readonly dsn: string;
  readonly environment: string | undefined;
  /** Undefined: name@version of the service that an alert is about. */
  readonly release: string | undefined;
  readonly agentVersion: string;
  /** Pod, namespace, node, container. */
  readonly surroundings: Readonly<Record<string, string>>;
}

/**
 * Alerts as events of Sentry: one issue per problem, service and key. An event is sent when an episode opens, gets worse, or gets evidence of a new kind;
 * not when it ends or comes back within minutes, as each event counts as one more occurrence, and whoever resolves the issue is a person. The SDK costs
 * 30 MB, so it is loaded with the first event.
 */
export function sentry(options: SentryOptions): Receiver {
  let client: Promise<SentryClient> | undefined;
  return {
    name: 'sentry',
    isInterestedIn: ({ change, alert }) =>
      alert.severity !== 'info' && (change === 'opened' || change === 'escalated' || change === 'extended'),
    async deliver(notice, signal) {
      client ??= loadClient(options).catch((error: unknown) => {
        client = undefined;
        throw new DeliveryError(`the Sentry SDK cannot be loaded: ${String(error)}`, { isFinal: false, cause: error });
      });
      await (await client).send(eventOf(notice, options), signal);
    },
    close: async () => (await client)?.close(),
  };
}

async function loadClient({ dsn, environment }: SentryOptions): Promise<SentryClient> {
  const { createSentryClient } = await import('./sentry-client.ts');
  return createSentryClient({ dsn, environment });
}

/** Exported for tests: what Sentry is told of an alert. */
export function eventOf({ change, alert }: AlertNotice, options: SentryOptions): SentryEvent {
  const { problem, targetId, key, title, text, severity, service, facts, evidence, traceId } = alert;
  const name = service?.name ?? targetId;
  return {
    // The same when it is sent again, so that Sentry takes it once; another for each change of the episode.
    eventId: eventIdOf(alert, change),
    message: title,
    level: levels[severity],
    timestampMs: Date.parse(alert.updatedAt),
    fingerprint: ['sidescope', problem, name, key],
    release:
      options.release ?? (service === null || service.version === null ? undefined : `${name}@${service.version}`),
    tags: cleanTags({
      problem,
      severity,
      service: name,
      version: service?.version,
      pod: options.surroundings['pod'],
      namespace: options.surroundings['namespace'],
      node: options.surroundings['node'],
      container: options.surroundings['container'],
      target: targetId,
      'sidescope.version': options.agentVersion,
      ...(key !== '' && { key }),
    }),
    contexts: {
      alert: {
        id: alert.id,
        change,
        openedAt: alert.openedAt,
        reports: alert.reports,
        reopened: alert.reopened,
        details: text,
        links: profileLinks(alert),
        open: openCommand(options.surroundings),
      },
      facts,
      ...memoryContext(evidence),
      ...(traceId !== null && /^[0-9a-f]{32}$/.test(traceId) && { 'target trace': { trace_id: traceId } }),
    },
    attachments: evidence.map(({ name: filename, mediaType: contentType, text: data }) => ({
      filename,
      contentType,
      data,
    })),
  };
}

const levels = { info: 'info', warning: 'warning', critical: 'fatal' } as const;
/** Sentry cuts longer ones off. */
const maxTagLength = 200;

/** 32 hex digits out of the episode's id and what happened to it. */
function eventIdOf({ id, reports }: Alert, change: AlertNotice['change']): string {
  const name = change === 'opened' ? `${id} ${change}` : `${id} ${change} ${reports}`;
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}

function cleanTags(tags: Readonly<Record<string, string | null | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tags).flatMap(([name, value]) =>
      value === null || value === undefined || value === ''
        ? []
        : [[name, value.replace(/\s+/g, ' ').slice(0, maxTagLength)]],
    ),
  );
}

function memoryContext(evidence: Alert['evidence']): { memory?: Record<string, unknown> } {
  const piece = evidence.find(({ name }) => name === memoryEvidenceName);
  try {
    const memory: unknown = JSON.parse(piece?.text ?? 'null');
    return typeof memory === 'object' && memory !== null ? { memory: { ...memory } } : {};
  } catch {
    // It is attached as it is; only the context is missing.
    return {};
  }
}
