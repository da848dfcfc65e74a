import { filePathOf } from '../../protocol/cpu-profile/frame-text.ts';
import type { RequestCpu, RequestFunction, TraceCpu } from '../../protocol/cpu-profile/request-cpu.ts';
import type { ProfileRequest, RequestFunctionRow, TimelineCpu } from '../../protocol/rest/profile-requests.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { isoTime } from './timeline-view.ts';

export const functionsMax = 20;

/** One request of a profile, as the API tells it. */
export function requestRow(
  { request, cpuUs, sureUs, confidence, samples, topFunction }: RequestCpu,
  of: { profile: Profile; activeUs: number },
): ProfileRequest {
  const { window, traceId, spanId, name, route } = request;
  return {
    traceId,
    spanId,
    name,
    route,
    startedAt: window === null ? null : isoTime(window.startMs),
    offsetMs: window === null ? null : window.startMs - Date.parse(of.profile.startedAt),
    durationMs: window === null ? null : window.endMs - window.startMs,
    failed: window?.failed ?? null,
    statusCode: window?.statusCode ?? null,
    cpuMs: cpuUs / 1_000,
    cpuErrorMs: errorMs(cpuUs, samples),
    sureMs: sureUs / 1_000,
    share: of.activeUs > 0 ? cpuUs / of.activeUs : 0,
    confidence,
    topFunction: topFunction === null ? null : functionRow(topFunction),
  };
}

function functionRow({
  functionName,
  url,
  line,
  column,
  category,
  selfUs,
  totalUs,
  samples,
}: RequestFunction): RequestFunctionRow {
  return {
    name: functionName,
    where: url === '' ? null : { file: filePathOf(url), line, column },
    category,
    selfMs: selfUs / 1_000,
    selfErrorMs: errorMs(selfUs, samples),
    totalMs: totalUs / 1_000,
    samples,
  };
}

/** Samples come as a Poisson process does: n of them are good to the root of n. */
function errorMs(us: number, samples: number): number {
  return samples > 0 ? us / 1_000 / Math.sqrt(samples) : 0;
}

/** One request in several profiles. */
export function sumUp(parts: readonly { profileId: string; sums: TraceCpu }[]): TimelineCpu {
  const cpuUs = parts.reduce((sum, { sums }) => sum + sums.cpuUs, 0);
  const samples = parts.reduce((sum, { sums }) => sum + sums.samples, 0);
  const rows = Map.groupBy(
    parts.flatMap(({ sums }) => sums.functions),
    ({ functionName, url, line, column }) => `${functionName}\n${url}\n${line}:${column}`,
  );
  const functions = [...rows.values()].map((same) =>
    functionRow({
      ...same[0]!,
      selfUs: same.reduce((sum, { selfUs }) => sum + selfUs, 0),
      totalUs: same.reduce((sum, { totalUs }) => sum + totalUs, 0),
      samples: same.reduce((sum, one) => sum + one.samples, 0),
    }),
  );
  return {
    cpuMs: cpuUs / 1_000,
    cpuErrorMs: errorMs(cpuUs, samples),
    confidence: parts.reduce((sum, { sums }) => sum + sums.confidence * sums.cpuUs, 0) / cpuUs,
    samples,
    profileIds: parts.map(({ profileId }) => profileId),
    functions: functions.toSorted((a, b) => b.selfMs - a.selfMs).slice(0, functionsMax),
  };
}
