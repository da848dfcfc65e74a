import type { IncomingHttpHeaders } from 'node:http';

/**
 * What a sender may tell the upstream through us: who it is to be billed or stored as. Everything else stays here, trace context and cookies too: a forwarded
 * request belongs to no trace.
 */
const passed = [
  'authorization',
  'x-scope-orgid',
  'x-tenant-id',
  'api-key',
  'x-api-key',
  'dd-api-key',
  'x-honeycomb-team',
  'x-honeycomb-dataset',
  'lightstep-access-token',
  'signoz-access-token',
  'uptrace-dsn',
  'x-sf-token',
  'x-axiom-dataset',
];

/** `agent` is this program's own product name and version; the SDK's is kept behind it. */
export function forwardedHeaders(headers: IncomingHttpHeaders, agent: string): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of passed) {
    const value = headers[name];
    if (typeof value === 'string') kept[name] = value;
  }
  const sender = headers['user-agent'];
  kept['user-agent'] = sender === undefined ? agent : `${agent} ${sender.slice(0, 256)}`;
  return kept;
}
