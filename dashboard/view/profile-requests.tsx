import { formatDuration, formatShare, plural } from '../format.ts';
import { hrefTo } from './navigation.ts';
import { usePage } from './page-context.ts';
import { ProblemNote } from './parts.tsx';
import { Confidence, FunctionName } from './request-cpu.tsx';
import { useFresh } from './use-fresh.ts';

const shownMax = 20;

/** Whose work the samples of a CPU profile were, most CPU time first; or why that is not known. */
export function ProfileRequests({ profileId }: { profileId: string }) {
  const { api } = usePage();
  const { value, problem } = useFresh({
    key: profileId,
    tick: null,
    read: (signal) => api.profileRequests(profileId, shownMax, signal),
  });
  if (problem !== null) return <ProblemNote problem={problem} />;
  if (value === null) {
    return (
      <p class="hint" role="status">
        Reading whose work it was…
      </p>
    );
  }
  if (value.requests.length === 0) return <p class="hint">No requests: {value.reason ?? 'none was on the CPU'}.</p>;
  return (
    <section class="request-cpu" aria-label="Requests">
      <p>
        <strong>Requests</strong> had {formatDuration(value.attributedMs)} of the {formatDuration(value.activeMs)} in
        which the thread was not idle.
        {value.readings.problem !== null && ` Active spans were not all read: ${value.readings.problem}.`}
      </p>
      <table class="profiles requests">
        <thead>
          <tr>
            <th scope="col">Request</th>
            <th scope="col" class="num">
              On the CPU
            </th>
            <th scope="col" class="num">
              Share
            </th>
            <th scope="col">Most of it in</th>
          </tr>
        </thead>
        <tbody>
          {value.requests.map((request) => (
            <tr key={`${request.traceId} ${request.spanId}`}>
              <td class="request-name">
                <a href={hrefTo('/requests', { trace: request.traceId })}>
                  <bdi>{request.name}</bdi>
                </a>{' '}
                <Confidence value={request.confidence} />{' '}
                <a href={hrefTo(`/profile/${encodeURIComponent(profileId)}`, { only: `trace:${request.traceId}` })}>
                  Only its samples
                </a>
              </td>
              <td class="num" data-label="On the CPU">
                {formatDuration(request.cpuMs)} ± {formatDuration(request.cpuErrorMs)}
              </td>
              <td class="num" data-label="Share">
                {formatShare(request.share)}
              </td>
              <td data-label="Most of it in">
                {request.topFunction !== null && <FunctionName of={request.topFunction} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {value.total > value.requests.length && (
        <p class="hint">{plural(value.total - value.requests.length, 'request')} with less are not shown.</p>
      )}
    </section>
  );
}
