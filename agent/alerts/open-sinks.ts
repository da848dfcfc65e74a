import { isSidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Options } from '../options.ts';
import type { Log } from '../telemetry/log.ts';
import { version } from '../version.ts';
import type { AlertSink } from './alert-sink.ts';
import { DeliveryQueue } from './delivery-queue.ts';
import { logSink } from './log-sink.ts';
import { sentry } from './sentry.ts';
import { readSecret } from './signed-post.ts';
import { webhook } from './webhook.ts';

export interface AlertSinks {
  readonly sinks: readonly AlertSink[];
  features(): Feature[];
}

type SinkOptions = Pick<
  Options,
  'sentryDsn' | 'sentryEnvironment' | 'sentryRelease' | 'webhookUrl' | 'webhookSecretFile'
>;

/** The log always; Sentry and the webhook where the options name them. A secret that cannot be read makes the webhook `failed`, and is looked for again. */
export async function openSinks(
  options: SinkOptions,
  { log, environment }: { log: Log; environment: Readonly<Record<string, string>> },
): Promise<AlertSinks> {
  const { sentryDsn: dsn, webhookUrl: url, webhookSecretFile: secretFile } = options;
  const surroundings = environment;
  const toSentry =
    dsn === undefined
      ? undefined
      : new DeliveryQueue(
          sentry({
            dsn,
            environment: options.sentryEnvironment,
            release: options.sentryRelease,
            agentVersion: version,
            surroundings,
          }),
          { log },
        );
  const toWebhook =
    url === undefined
      ? undefined
      : new DeliveryQueue(webhook({ url, secretFile, agent: { version, environment } }), { log });
  let secretProblem = secretFile === undefined || toWebhook === undefined ? undefined : await problemOf(secretFile);
  if (secretProblem !== undefined) log.error({ sink: 'webhook' }, secretProblem);
  const features = (): Feature[] => {
    if (secretProblem !== undefined && (toWebhook?.stats().delivered ?? 0) > 0) secretProblem = undefined;
    return [
      featureOf('sentry', toSentry, 'Set --sentry-dsn to send alerts to Sentry.'),
      secretProblem === undefined
        ? webhookFeature(toWebhook, { isSigned: secretFile !== undefined })
        : { name: 'webhook', state: 'failed', reason: secretProblem, remedy: 'Correct --webhook-secret-file.' },
    ];
  };
  return { sinks: [logSink(log), toSentry, toWebhook].filter((sink) => sink !== undefined), features };
}

function featureOf(name: string, queue: DeliveryQueue | undefined, remedy: string): Feature {
  if (queue === undefined) return { name, state: 'off', reason: 'it is not configured', remedy };
  const { problem } = queue;
  const reason = problem === undefined ? null : `the last delivery failed, and is tried again: ${problem}`;
  return { name, state: 'on', reason, remedy: null };
}

function webhookFeature(queue: DeliveryQueue | undefined, { isSigned }: { isSigned: boolean }): Feature {
  const feature = featureOf('webhook', queue, 'Set --webhook-url to post alerts.');
  if (feature.state === 'off' || isSigned || feature.reason !== null) return feature;
  const reason = 'its messages are not signed: the receiver cannot tell them from forged ones';
  return { ...feature, reason, remedy: 'Set --webhook-secret-file.' };
}

async function problemOf(secretFile: string): Promise<string | undefined> {
  try {
    await readSecret(secretFile);
    return undefined;
  } catch (error) {
    if (isSidescopeError(error)) return error.message;
    throw error;
  }
}
