import { isLoopbackHost } from '../loopback.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Whether what is sent to `url` would come in again at our own listener. A pod often has one OTEL_EXPORTER_OTLP_ENDPOINT for all its containers, and with this
 * agent in it that endpoint is the agent.
 */
export function isOwnAddress(url: URL | undefined, listener: Address | 'off'): boolean {
  if (url === undefined || listener === 'off' || listener.port === 0) return false;
  const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isLocal = isLoopbackHost(host) || host === '0.0.0.0' || host === '::';
  return port === listener.port && (isLocal || host === listener.host);
}
