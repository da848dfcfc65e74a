import { hrefTo } from './navigation.ts';

/** To the waterfall of the request; where its spans were not kept, that view says so. */
export function TraceLink({ traceId }: { traceId: string }) {
  return (
    <a href={hrefTo('/requests', { trace: traceId })}>
      <code>{traceId}</code>
    </a>
  );
}
