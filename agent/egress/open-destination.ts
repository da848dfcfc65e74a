import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { readRegularFile } from '../regular-file.ts';
import type { Turns } from '../turns.ts';
import { version } from '../version.ts';
import type { Destination } from './destination.ts';
import { directory } from './directory.ts';
import type { DestinationConfig } from './egress-schema.ts';
import { HttpSender, type SenderTimes } from './http-send.ts';
import { pyroscope } from './pyroscope.ts';
import { s3Destination } from './s3-destination.ts';
import type { ReadVariable } from './s3/credentials.ts';
import { openS3Client } from './s3/open.ts';
import { defaultKey } from './template.ts';
import { webhook } from './webhook.ts';

export interface DestinationSurroundings {
  readonly environment: Readonly<Record<string, string>>;
  readonly variable: ReadVariable;
  readonly times?: Partial<SenderTimes> | undefined;
  /** For each file operation of a directory. */
  readonly fileLimitMs?: number | undefined;
}

/** Asks nobody yet. Rejects with `invalid-option` for a file of authorities that cannot be read. */
export async function openDestination(
  config: DestinationConfig,
  surroundings: DestinationSurroundings & { readonly volumes: Turns },
): Promise<Destination> {
  switch (config.kind) {
    case 's3':
      return await openS3(config, surroundings);
    case 'pyroscope': {
      const { url, app = '{service}', labels = {}, tenant } = config;
      const sender = new HttpSender(url, { ca: await readCa(config['ca-file']), times: surroundings.times });
      const variable = config['authorization-env'];
      const authorization = variable === undefined ? undefined : () => surroundings.variable(variable);
      const authorizationFile = config['authorization-file'];
      return pyroscope({
        url,
        sender,
        app,
        labels,
        tenant,
        authorization,
        authorizationFile,
        userAgent: `sidescope/${version}`,
      });
    }
    case 'directory':
      return directory({
        directory: config.path,
        key: config.key ?? defaultKey,
        redact: config.redact ?? true,
        volumes: surroundings.volumes,
        limitMs: surroundings.fileLimitMs,
      });
    case 'webhook':
      return webhook({
        url: config.url,
        secretFile: config['secret-file'],
        environment: surroundings.environment,
      });
  }
}

async function openS3(
  config: Extract<DestinationConfig, { kind: 's3' }>,
  surroundings: DestinationSurroundings,
): Promise<Destination> {
  const { key = defaultKey, format = 'native', redact = true, sse } = config;
  const { client, location } = openS3Client(config.url, {
    ...surroundings,
    ca: await readCa(config['ca-file']),
    credentials: {
      accessKeyFile: config['access-key-file'],
      secretKeyFile: config['secret-key-file'],
      accessKeyEnv: config['access-key-env'],
      secretKeyEnv: config['secret-key-env'],
    },
  });
  const encryption = sse === undefined ? undefined : { sse, kmsKey: config['sse-kms-key'] };
  return s3Destination({ client, location, key, format, redact, encryption });
}

/** A bundle of all public authorities has a quarter of it. */
const caBytesMax = 1024 * 1024;

async function readCa(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return await readRegularFile(path, { maxBytes: caBytesMax }).catch((error: unknown) => {
    if (!isSidescopeError(error, 'unusable-file')) throw error;
    throw new SidescopeError('invalid-option', error.message, { cause: error });
  });
}
