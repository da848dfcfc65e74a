import { SidescopeError } from '../../../protocol/error.ts';
import { version } from '../../version.ts';
import type { SenderTimes } from '../http-send.ts';
import { S3Client } from './client.ts';
import { credentialSource, type CredentialOptions, type ReadVariable } from './credentials.ts';
import { parseS3Url, type S3Location } from './location.ts';

interface S3Surroundings {
  readonly variable: ReadVariable;
  readonly times?: Partial<SenderTimes> | undefined;
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
  return {
    client: new S3Client({ location, credentials: source, ca, times, userAgent: `sidescope/${version}` }),
    location,
  };
}
