/** Served HTTP requests, by the names that usual libraries give them: OpenTelemetry's first, then prom-client's idioms and Micrometer's. */
export const requestCounters = [
  'http_server_request_duration_seconds_count',
  'http_server_duration_milliseconds_count',
  'http_server_duration_seconds_count',
  'http_server_duration_count',
  'http_requests_total',
  'http_request_total',
  'http_request_duration_seconds_count',
  'http_request_duration_milliseconds_count',
  'http_request_duration_ms_count',
  'http_server_requests_total',
  'http_server_requests_seconds_count',
  'http_server_requests',
] as const;

/** With the application's own prefix: `shop_http_requests_total`. Not what it asked of others. */
const prefixed =
  /^(?!.*(?:client|outgoing|egress)).+_http_(?:server_)?requests?(?:_duration_(?:seconds|milliseconds|ms)_count|_total)$/;

/** The one counter of a page that stands for its requests, all label sets added; undefined when there is none. */
export function requestCounterOf(names: ReadonlySet<string>): string | undefined {
  return requestCounters.find((name) => names.has(name)) ?? [...names].filter((name) => prefixed.test(name)).sort()[0];
}
