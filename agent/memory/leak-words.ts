import { shortFrameText } from '../../protocol/cpu-profile/frame-text.ts';
import type { GrowthSite, LeakPool, LeakVerdict, SitePlace } from '../../protocol/rest/leaks.ts';
import type { PoolJudgement } from './leak-judge.ts';

/** What to do next, in one or two sentences. */
export function nextStepOf(
  { pool, state }: Pick<PoolJudgement, 'pool' | 'state'>,
  { sites, unavailable }: { sites: readonly GrowthSite[]; unavailable: string | null },
): string {
  if (state === 'settled') return 'Nothing to do.';
  const [top] = sites;
  if (pool === 'native') return nativeStep;
  if (top === undefined) {
    return unavailable === null
      ? 'Allocation sampling runs and is read as the memory grows: the functions that allocate it are named then.'
      : `The allocating functions cannot be named: ${unavailable}. Compare two heap snapshots (POST /heap/snapshot) instead.`;
  }
  const where = placeText(top.original ?? top);
  const caller = top.caller === null ? '' : `, called by ${placeText(top.caller)}`;
  if (pool === 'external')
    return `The bytes are outside the JavaScript heap; their owners are objects in it. Look at who keeps what ${where}${caller} makes.`;
  return `Look at what keeps the objects that ${where}${caller} allocates: a collection without a bound, a listener or a timer that is never removed.`;
}

/** How the issue is told, and what people try first: glibc keeps an arena per thread. */
const nativeStep =
  'This memory is not visible to V8; try MALLOC_ARENA_MAX=2 in the environment, or jemalloc. If it still grows, a native addon, or zlib and TLS objects that are never closed, hold it.';

const names: Readonly<Record<LeakPool, string>> = {
  heap: 'the JavaScript heap',
  external: 'memory of Buffers and ArrayBuffers',
  native: 'native memory that V8 does not know of',
};

/** For alerts and logs: "the JavaScript heap grows by 120 MB/h (310 MB now); heap limit in 2.1 h; most from rememberSession sessions.ts:13". */
export function leakTitle(verdict: LeakVerdict): string {
  const { pool, slopeMbPerHour, levelBytes, limit, sites } = verdict;
  const level = levelBytes === null ? '' : ` (${(levelBytes / 1e6).toFixed(0)} MB now)`;
  const pace = slopeMbPerHour === null ? '' : ` by ${slopeMbPerHour.toPrecision(3)} MB/h`;
  const inHours =
    limit === null || limit.reachedAt === null
      ? null
      : (Date.parse(limit.reachedAt) - Date.parse(verdict.at)) / 3_600_000;
  const forecast = inHours === null ? '' : `; ${limit?.kind} limit in ${inHours.toPrecision(2)} h`;
  const [top] = sites;
  const most = top === undefined || pool === 'native' ? '' : `; most from ${placeText(top.original ?? top)}`;
  return `${names[pool]} grows${pace}${level}${forecast}${most}`;
}

export function placeText({ functionName, url, line, column }: SitePlace): string {
  return shortFrameText({ functionName, url, line, column, scriptId: '0' });
}
