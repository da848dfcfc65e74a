import type { Feature } from '../protocol/rest/info.ts';
import type { TargetMetricsOptions } from './baseline/target-metrics.ts';
import { StateDirectory } from './baseline/state-directory.ts';
import type { StateStorage } from './baseline/state-storage.ts';
import type { ReadVariable } from './egress/s3/credentials.ts';
import type { JwtOptions } from './http/jwt.ts';
import type { ResolvedOptions } from './options.ts';
import { isOwnAddress } from './requests/own-address.ts';
import type { RequestsOptions } from './requests/requests.ts';
import { version } from './version.ts';

// What the parts are given, from the option table.

export function requestOptions(options: ResolvedOptions['options']): Omit<RequestsOptions, 'sink' | 'log'> {
  const { otlpAddress, otlpForward: url, otlpForwardTraces: tracesUrl } = options;
  const isLoop = isOwnAddress(url, otlpAddress) || isOwnAddress(tracesUrl, otlpAddress);
  return {
    version,
    pathPrefix: options.otlpPath,
    bodyBytesMax: options.otlpBodyLimitBytes,
    forward: {
      url,
      tracesUrl,
      headers: options.otlpForwardHeaders ?? {},
      queueBytesMax: options.otlpForwardQueueBytes,
      obstacle: isLoop
        ? 'the upstream is this agent itself (--otlp-forward, or OTEL_EXPORTER_OTLP_ENDPOINT)'
        : undefined,
    },
  };
}

export function jwtOptions(options: ResolvedOptions['options']): Omit<JwtOptions, 'log'> {
  const { jwks: place, jwksCaFile: caFile, jwksTokenFile: tokenFile, jwtIssuer = '', jwtAudience: audiences } = options;
  const { jwtRoleClaim: roleClaim, jwtRole: roles } = options;
  return { place, credentials: { caFile, tokenFile }, issuer: jwtIssuer, audiences, roleClaim, roles };
}

export function metricsPage(options: ResolvedOptions['options']): Pick<TargetMetricsOptions, 'source' | 'obstacle'> {
  const { metricsUrl: url, metricsTokenFile: tokenFile, metricsCaFile: caFile, opsAddress } = options;
  const isLoop = isOwnAddress(url, opsAddress);
  return {
    source: url === undefined ? undefined : { url, tokenFile, caFile },
    obstacle: isLoop ? '--metrics-url is the ops listener of this agent itself' : undefined,
  };
}

export async function stateStorage(url: string, variable: ReadVariable): Promise<StateStorage> {
  if (!url.startsWith('s3://')) return new StateDirectory(url);
  const [{ openS3Client }, { S3State }] = await Promise.all([
    import('./egress/s3/open.ts'),
    import('./egress/s3/state.ts'),
  ]);
  const { client, location } = openS3Client(url, { variable });
  return new S3State(client, location);
}

/** Options that could not be read: the defaults stand in. */
export function optionFailures({ problems }: ResolvedOptions): Feature[] {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return [];
  return [
    {
      name: 'options',
      state: 'failed',
      reason: errors.map(({ message }) => message).join('; '),
      remedy: 'Correct the options and restart; until then the defaults are used for them.',
    },
  ];
}
