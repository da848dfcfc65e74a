export interface S3Location {
  readonly bucket: string;
  /** '' or without slashes at its ends. */
  readonly prefix: string;
  /** Undefined: AWS, of the region. */
  readonly endpoint: URL | undefined;
  readonly region: string;
  /** The bucket in the path instead of the host's name: what everybody but AWS expects. */
  readonly isPathStyle: boolean;
}

export interface S3Defaults {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
}

const parameters = ['endpoint', 'region', 'path-style'];

/** `s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION&path-style=true`; the sentence says what is wrong with it. */
export function parseS3Url(text: string, defaults: S3Defaults = {}): S3Location | string {
  const [, bucket, path = '', query = ''] = /^s3:\/\/([^/?#]+)(\/[^?#]*)?(?:\?([^#]*))?$/.exec(text) ?? [];
  if (bucket === undefined) return 'must be s3://BUCKET/PREFIX';
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    return 'names no bucket: 3 to 63 of a-z, 0-9, dots and dashes';
  const given = new URLSearchParams(query);
  const unknown = [...given.keys()].find((name) => !parameters.includes(name));
  if (unknown !== undefined)
    return `has an unknown parameter ${unknown.slice(0, 40)}; there are ${parameters.join(', ')}`;
  const empty = [...given].find(([, value]) => value === '');
  if (empty !== undefined) return `has a parameter ${empty[0]} without a value`;
  const endpoint = given.get('endpoint') ?? defaults.endpoint;
  const endpointUrl = endpoint === undefined ? undefined : endpointOf(endpoint);
  if (typeof endpointUrl === 'string') return endpointUrl;
  const prefix = decodedPath(path)?.replace(/^\/+|\/+$/g, '');
  if (prefix === undefined || prefix.length > 500 || /[^\w.\-/=+@ ]/.test(prefix))
    return 'has a prefix with characters that keys should not have';
  // An address takes them out: the key would be another one, of another bucket even.
  if (/(^|\/)\.{1,2}(\/|$)|\/\//.test(prefix)) return 'has a prefix with an empty part, or one of dots alone';
  const style = given.get('path-style');
  if (style !== null && style !== 'true' && style !== 'false') return 'has a path-style that is neither true nor false';
  return {
    bucket,
    prefix,
    endpoint: endpointUrl,
    region: given.get('region') ?? defaults.region ?? 'us-east-1',
    // A dot in the bucket's name fits no certificate of a host.
    isPathStyle: style === null ? endpointUrl !== undefined || bucket.includes('.') : style !== 'false',
  };
}

/** For people. */
export function formatS3Location({ bucket, prefix, endpoint }: S3Location): string {
  const where = endpoint === undefined ? '' : ` at ${endpoint.host}`;
  return `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}${where}`;
}

/** Undefined for escapes that are none. */
function decodedPath(path: string): string | undefined {
  try {
    return decodeURI(path);
  } catch {
    // A URIError says no more.
    return undefined;
  }
}

function endpointOf(text: string): URL | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.search !== '' ||
    url.hash !== ''
  )
    return 'has an endpoint that is no http or https address without credentials, such as https://minio.example:9000';
  return url;
}
