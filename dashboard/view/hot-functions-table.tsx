import type { HotFunctionOfProfiles, HotFunctions, HotOperation } from '../../protocol/rest/hot-functions.ts';
import { formatCount, formatDuration, formatShare, plural } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { kindSigns } from '../model/request-words.ts';
import { useNow, usePage } from './page-context.ts';
import { ProblemNote, Time } from './parts.tsx';
import { SamplingNote } from './routes-table.tsx';
import { useFresh } from './use-fresh.ts';

/** The top 20 of spans and of CPU profiles, each by its own self time: one is of an hour, the other of what was sampled. */
export function HotFunctionsTable({ state }: { state: PageState }) {
  const { api } = usePage();
  const nowMs = useNow(state.clockOffsetMs, 30_000);
  const newest = state.profiles.items.find(({ kind }) => kind === 'cpu')?.id;
  const { value, problem } = useFresh({
    key: 'hot',
    tick: `${state.requests?.spans ?? 0} ${newest ?? ''}`,
    read: (signal) => api.hotFunctions(signal),
  });
  return (
    <>
      <ProblemNote problem={problem} />
      {value === null ? null : (
        <div class="hot-sources">
          <section aria-labelledby="hot-spans">
            <h3 id="hot-spans">By spans</h3>
            {value.spans !== null && <Operations spans={value.spans} nowMs={nowMs} />}
          </section>
          <section aria-labelledby="hot-cpu">
            <h3 id="hot-cpu">By CPU profiles</h3>
            {value.cpu !== null && <Functions cpu={value.cpu} nowMs={nowMs} />}
          </section>
        </div>
      )}
    </>
  );
}

function Operations({ spans, nowMs }: { spans: NonNullable<HotFunctions['spans']>; nowMs: number }) {
  if (spans.items.length === 0) return <p class="empty">{sentence(spans.reason)}</p>;
  return (
    <>
      <SamplingNote sampling={spans.sampling} />
      <table class="profiles requests">
        <Head names={['Work', 'Self', 'Share', 'Count', 'Average', 'p95', 'Total']} />
        <tbody>
          {spans.items.map((item) => (
            <OperationRow key={`${item.kind} ${item.name}`} item={item} nowMs={nowMs} />
          ))}
        </tbody>
      </table>
    </>
  );
}

function OperationRow({ item, nowMs }: { item: HotOperation; nowMs: number }) {
  const { word, sign } = kindSigns[item.kind];
  return (
    <tr>
      <td class="request-name">
        <span class={`sign text-${item.kind}`} aria-hidden="true">
          {sign}
        </span>{' '}
        <span class="kind-word">{word}</span>{' '}
        <code>
          <bdi>{item.name}</bdi>
        </code>{' '}
        <Where where={item.where} /> <LastSeen iso={item.lastSeenAt} nowMs={nowMs} />
      </td>
      <td class="num" data-label="Self">
        {formatDuration(item.selfMs)}
      </td>
      <td class="num" data-label="Share">
        {formatShare(item.share)}
      </td>
      <td class="num" data-label="Count">
        {formatCount(item.count)}
        {item.estimatedCount !== null && ` (≈ ${formatCount(item.estimatedCount)})`}
      </td>
      <td class="num" data-label="Average">
        {formatDuration(item.averageMs)}
      </td>
      <td class="num" data-label="p95">
        {formatDuration(item.p95Ms)}
      </td>
      <td class="num" data-label="Total">
        {formatDuration(item.totalMs)}
      </td>
    </tr>
  );
}

function LastSeen({ iso, nowMs }: { iso: string; nowMs: number }) {
  return (
    <span class="dim last-seen">
      last <Time iso={iso} nowMs={nowMs} />
    </span>
  );
}

function Functions({ cpu, nowMs }: { cpu: NonNullable<HotFunctions['cpu']>; nowMs: number }) {
  if (cpu.items.length === 0) return <p class="empty">{sentence(cpu.reason)}</p>;
  return (
    <>
      <table class="profiles requests">
        <Head names={['Function', 'Self', 'Share', 'Total']} />
        <tbody>
          {cpu.items.map((item) => (
            <FunctionRow key={`${item.name} ${JSON.stringify(item.where)}`} item={item} nowMs={nowMs} />
          ))}
        </tbody>
      </table>
      <p class="hint">
        From {plural(cpu.profileIds.length, 'CPU profile')}, {formatDuration(cpu.sampledMs)} together. No counts and
        averages: {cpu.countReason}.
      </p>
    </>
  );
}

function FunctionRow({ item, nowMs }: { item: HotFunctionOfProfiles; nowMs: number }) {
  return (
    <tr>
      <td class="request-name">
        <code>
          <bdi>{item.name}</bdi>
        </code>{' '}
        <Where where={item.where} /> <LastSeen iso={item.lastSeenAt} nowMs={nowMs} />
      </td>
      <td class="num" data-label="Self">
        {formatDuration(item.selfMs)} ± {formatDuration(item.selfErrorMs)}
      </td>
      <td class="num" data-label="Share">
        {formatShare(item.share)}
      </td>
      <td class="num" data-label="Total">
        {formatDuration(item.totalMs)}
      </td>
    </tr>
  );
}

function Head({ names: [first, ...others] }: { names: readonly string[] }) {
  return (
    <thead>
      <tr>
        <th scope="col">{first}</th>
        {others.map((name) => (
          <th key={name} scope="col" class="num">
            {name}
          </th>
        ))}
      </tr>
    </thead>
  );
}

function Where({ where }: { where: HotOperation['where'] }) {
  if (where === null) return null;
  return (
    <span class="dim" title={where.file}>
      {where.file.split('/').at(-1)}
      {where.line !== null && `:${where.line}`}
    </span>
  );
}

function sentence(reason: string | null): string {
  if (reason === null) return 'Nothing yet.';
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
}
