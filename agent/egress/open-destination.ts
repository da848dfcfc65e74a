import { readFile } from 'node:fs/promises';
import { SidescopeError } from '../../protocol/error.ts';
import { version } from '../version.ts';
import type { Destination } from './destination.ts';
import { directory } from './directory.ts';
import type { DestinationConfig } from './egress-schema.ts';
import { HttpSender, type SenderTimes } from './http-send.ts';
import { pyroscope } from './pyroscope.ts';
import { s3Destination } from './s3-destination.ts';
import { S3Client } from './s3/client.ts';
import { credentialSource, type CredentialOptions, type ReadVariable } from './s3/credentials.ts';
import { parseS3Url, type S3Location } from './s3/location.ts';
import { defaultKey } from './template.ts';
import { webhook } from './webhook.ts';

export interface DestinationSurroundings {
  readonly environment: Readonly<Record<string, string>>;
  readonly variable: ReadVariable;
  readonly times?: Partial<SenderTimes> | undefined;
}

const userAgent = `sidescope/${version}`;

/** Asks nobody yet. Rejects with `invalid-option` for a file of authorities that cannot be read. */
export async function openDestination(
  config: DestinationConfig,
  surroundings: DestinationSurroundings,
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
      return pyroscope({ url, sender, app, labels, tenant, authorization, authorizationFile, userAgent });
    }
    case 'directory':
      return directory({ directory: config.path, key: config.key ?? defaultKey, redact: config.redact ?? true });
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

interface S3Surroundings extends Pick<DestinationSurroundings, 'variable' | 'times'> {
  readonly ca?: string | undefined;
  readonly credentials?: Omit<CredentialOptions, 'region' | 'variable'>;
}

/** Endpoint and region from the URL, or from the variables that AWS's own tools read. Throws `invalid-option`. */
export function openS3Client(url: string, surroundings: S3Surroundings): { client: S3Client; location: S3Location } {
  const { variable, times, ca, credentials } = surroundings;
  const location = parseS3Url(url, {
    endpoint: variable('AWS_ENDPOINT_URL_S3') || variable('AWS_ENDPOINT_URL') || undefined,
    region: variable('AWS_REGION') || variable('AWS_DEFAULT_REGION') || undefined,
  });
  if (typeof location === 'string') throw new SidescopeError('invalid-option', `the address of S3 ${location}`);
  const source = credentialSource({ ...credentials, region: location.region, variable });
  return { client: new S3Client({ location, credentials: source, ca, times, userAgent }), location };
}

async function readCa(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return await readFile(path, 'utf8').catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw new SidescopeError('invalid-option', `${path} cannot be read (${code})`, { cause: error });
  });
}
