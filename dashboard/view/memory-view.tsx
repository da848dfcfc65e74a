import '../style/memory.css';
import { useMemo } from 'preact/hooks';
import { readDeaths, readLeaks, readMemoryStats } from '../memory-api.ts';
import { limitText, limitTone } from '../model/memory-words.ts';
import { memoryPlans } from '../model/memory-charts.ts';
import { heapOutlook } from '../model/outlook.ts';
import { formatBytes } from '../format.ts';
import { ChartsSection } from './charts-section.tsx';
import { DeathRecords } from './death-records.tsx';
import { SnapshotDrop, SnapshotList } from './heap-sources.tsx';
import { LeakInvestigation } from './leak-investigation.tsx';
import { GrowthSites, LeakVerdicts } from './leak-verdicts.tsx';
import { useNow, usePage } from './page-context.ts';
import { Badge, Facts, ProblemNote } from './parts.tsx';
import { SampledHeaps } from './sampled-heaps.tsx';
import { useFresh } from './use-fresh.ts';
import type { ViewProps } from './view-props.ts';

const verdictsEveryMs = 15_000;

export function View({ state, target, address }: ViewProps) {
  const { api } = usePage();
  const nowMs = useNow(state.clockOffsetMs, verdictsEveryMs);
  const id = target?.id ?? '';
  const isAttached = target?.state.state === 'attached';
  const leaks = useFresh({
    key: `leaks ${id}`,
    tick: `${Math.floor(nowMs / verdictsEveryMs)} ${state.operations.filter(({ kind, endedAt }) => kind === 'leak-search' && endedAt !== null).length}`,
    read: async (signal) => (id === '' ? null : await readLeaks(api, id, signal)),
  });
  const outlook = useMemo(() => heapOutlook(leaks.value?.verdicts ?? []), [leaks.value]);
  const deaths = useFresh({
    key: `deaths ${id}`,
    tick: state.deaths,
    read: (signal) => readDeaths(api, target?.id, signal),
  });
  return (
    <>
      {target === undefined ? (
        <p class="empty">
          No target yet: start your service with <code>node --inspect=127.0.0.1:9229 …</code>; what it holds is shown
          here then.
        </p>
      ) : (
        <>
          {isAttached && <Limits targetId={id} tick={state.vitals[id]} />}
          <ChartsSection state={state} target={target} query={address.query} plans={memoryPlans} outlook={outlook} />
          <section id="leaks" aria-labelledby="leaks-title">
            <h2 id="leaks-title">Leaks</h2>
            <ProblemNote problem={leaks.problem} />
            {leaks.value && <LeakVerdicts list={leaks.value} nowMs={nowMs} />}
            {leaks.value && <GrowthSites searches={leaks.value.searches} nowMs={nowMs} />}
            <LeakInvestigation
              state={state}
              target={target}
              investigations={leaks.value?.investigations ?? []}
              nowMs={nowMs}
            />
            <SampledHeaps profiles={state.profiles.items} targetId={target.id} nowMs={nowMs} />
          </section>
        </>
      )}
      <section id="snapshots" aria-labelledby="snapshots-title">
        <h2 id="snapshots-title">Heap snapshots</h2>
        <SnapshotDrop />
        <SnapshotList target={target} clockOffsetMs={state.clockOffsetMs} />
      </section>
      <section id="deaths" aria-labelledby="deaths-title">
        <h2 id="deaths-title">How earlier runs ended</h2>
        <ProblemNote problem={deaths.problem} />
        {deaths.value && <DeathRecords deaths={deaths.value.deaths} nowMs={nowMs} openId={address.query['death']} />}
      </section>
    </>
  );
}

function Limits({ targetId, tick }: { targetId: string; tick: unknown }) {
  const { api } = usePage();
  const { value, problem } = useFresh({
    key: `stats ${targetId}`,
    tick,
    read: (signal) => readMemoryStats(api, targetId, signal),
  });
  if (value === null) return <ProblemNote problem={problem} />;
  const { nearerLimit } = value;
  const size = (bytes: number | null): string | null => (bytes === null ? null : formatBytes(bytes));
  return (
    <section aria-labelledby="limits-title">
      <h2 id="limits-title">Limits</h2>
      {nearerLimit === null ? (
        <p class="hint">No limit is known yet.</p>
      ) : (
        <p class={`headline ${limitTone(nearerLimit)}`}>{limitText(nearerLimit)}</p>
      )}
      <ProblemNote problem={problem} />
      <Facts
        rows={[
          ['Heap used', size(value.heapUsedBytes)],
          ['Heap limit', size(value.heapLimitBytes)],
          ['External', size(value.externalBytes)],
          ['RSS', size(value.rssBytes)],
          ['Container', size(value.containerBytes)],
          ['Container limit', value.containerLimitBytes === null ? 'none' : size(value.containerLimitBytes)],
        ]}
      />
      {value.limitNotes.map((note) => (
        <p key={note} class="hint">
          <Badge tone="idle">Not known</Badge> {note}
        </p>
      ))}
    </section>
  );
}
