import type { Connection } from '../model/page-state.ts';
import { useNow } from './page-context.ts';

/** Above everything while the agent does not answer: what is on the page is as old as the cut. */
export function Banner({ connection }: { connection: Connection }) {
  const nowMs = useNow(0, 500);
  if (connection.state !== 'reconnecting') return null;
  const leftMs = connection.retryAtMs - nowMs;
  return (
    <div class="banner" role="status">
      Reconnecting to the agent: {connection.reason}. Attempt {connection.attempt}
      {leftMs > 500 ? ` in ${Math.ceil(leftMs / 1000)} s` : ' now'}.
    </div>
  );
}
