import type { RequestFunctionRow } from '../../protocol/rest/profile-requests.ts';
import type { TimelineDetail } from '../../protocol/rest/timelines.ts';
import { formatDuration, formatShare } from '../format.ts';

/** What one request did on the CPU, from the profiles that were taken while it ran; or why that is not known. */
export function RequestCpu({ cpu, cpuReason }: Pick<TimelineDetail, 'cpu' | 'cpuReason'>) {
  if (cpu === null) return cpuReason === null ? null : <p class="hint">No functions on the CPU: {cpuReason}.</p>;
  return (
    <section class="request-cpu" aria-label="On the CPU">
      <p>
        <strong>On the CPU</strong> for {formatDuration(cpu.cpuMs)} ± {formatDuration(cpu.cpuErrorMs)},{' '}
        <Confidence value={cpu.confidence} />
      </p>
      <table class="profiles requests">
        <thead>
          <tr>
            <th scope="col">Function</th>
            <th scope="col" class="num">
              Self
            </th>
            <th scope="col" class="num">
              Total
            </th>
          </tr>
        </thead>
        <tbody>
          {cpu.functions.map((one) => (
            <tr key={`${one.name} ${JSON.stringify(one.where)}`}>
              <td class="request-name">
                <FunctionName of={one} />
              </td>
              <td class="num" data-label="Self">
                {formatDuration(one.selfMs)} ± {formatDuration(one.selfErrorMs)}
              </td>
              <td class="num" data-label="Total">
                {formatDuration(one.totalMs)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {cpuReason !== null && <p class="hint">Not all of it: {cpuReason}.</p>}
    </section>
  );
}

/** From 0.9 on an attribution is right in more than 95 % of all cases. */
export function Confidence({ value }: { value: number }) {
  const word = value >= 0.9 ? 'sure' : value >= 0.6 ? 'likely' : 'uncertain';
  return (
    <span
      class={value >= 0.6 ? 'dim' : 'warn-text'}
      title="How likely it is that these samples are of this request: others may have been on the CPU in between"
    >
      {word} ({formatShare(value)})
    </span>
  );
}

export function FunctionName({ of: { name, where } }: { of: RequestFunctionRow }) {
  return (
    <>
      <code>{name}</code>{' '}
      {where !== null && (
        <span class="dim" title={where.file}>
          {where.file.split('/').at(-1)}:{where.line}
        </span>
      )}
    </>
  );
}
