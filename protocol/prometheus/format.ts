import { SidescopeError } from '../error.ts';

/** Differ in what a time is counted in, and in how a page ends. */
export type MetricsFormat = 'text' | 'openmetrics';

/** OpenMetrics first, as only it has exemplars; a page that knows neither answers with what it has. */
export const acceptedFormats =
  'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,text/plain;q=0.3,*/*;q=0.1';

/**
 * By what the server says, never by the bytes: both formats have pages that look like the other's. None, and the one of unknown bytes,
 * stand for text. Throws `not-a-metrics-page` for any other.
 */
export function formatOfContentType(contentType: string | undefined): MetricsFormat {
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/openmetrics-text') return 'openmetrics';
  if (type === 'text/plain' || type === '' || type === 'application/octet-stream') return 'text';
  throw new SidescopeError(
    'not-a-metrics-page',
    `the page is ${JSON.stringify(type.slice(0, 100))}; text/plain or application/openmetrics-text is read`,
  );
}
