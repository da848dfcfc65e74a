import '../style/heap.css';
import type { HeapClient } from '../heap/heap-client.ts';
import { offeredFile } from '../heap/dropped-file.ts';
import type { Overview } from '../heap/messages.ts';
import { BiggestObjects, DuplicateStrings, GrowthHints, GrownPaths, HeapFacts } from './heap-lists.tsx';
import { HeapClasses } from './heap-classes.tsx';
import { HeapClassView } from './heap-class.tsx';
import { HeapCompare } from './heap-compare.tsx';
import { HeapObjectView } from './heap-object.tsx';
import { SnapshotDrop, SnapshotList } from './heap-sources.tsx';
import { HeapProgress } from './heap-progress.tsx';
import { hrefTo, setQuery } from './navigation.ts';
import { ProblemNote } from './parts.tsx';
import { useComparison, useHeap } from './use-heap.ts';
import type { ViewProps } from './view-props.ts';

const tabs = {
  classes: 'Classes',
  biggest: 'Biggest objects',
  strings: 'Duplicate strings',
  hints: 'Growth hints',
  grown: 'What grew',
} as const;
type Tab = keyof typeof tabs;

/** The explorer: without an id in its path it asks for a snapshot. */
export function View({ state, address, params, target }: ViewProps) {
  const id = params['id'];
  if (id === undefined) {
    return (
      <section aria-labelledby="choose-snapshot">
        <h2 id="choose-snapshot" class="sr">
          Choose a snapshot
        </h2>
        <SnapshotDrop />
        <SnapshotList target={target} clockOffsetMs={state.clockOffsetMs} />
      </section>
    );
  }
  return <Explorer key={`${id} ${address.query['file'] ?? ''}`} id={id} query={address.query} />;
}

function Explorer({ id, query }: { id: string; query: Readonly<Record<string, string>> }) {
  const { client, name, overview, progress, problem, again } = useHeap(id);
  const isLost = id === 'file' && offeredFile() === null;
  return (
    <section aria-labelledby="heap-title">
      <div class="title">
        <h2 id="heap-title">
          <bdi>{name ?? 'Heap snapshot'}</bdi>
        </h2>
        <span class="gap" />
        <a href={hrefTo('/heap')}>Another snapshot</a>
      </div>
      {isLost ? (
        <>
          <p class="empty">The file was on this page only, and is gone with the reload: drop it again.</p>
          <SnapshotDrop />
        </>
      ) : (
        <>
          {overview === null && problem === null && (
            <HeapProgress progress={progress} onStop={() => client?.cancel()} />
          )}
          {problem !== null && (
            <div class="act">
              <ProblemNote problem={problem} />
              <button type="button" onClick={again}>
                Read it again
              </button>
            </div>
          )}
          {overview !== null && client !== null && <Opened id={id} client={client} overview={overview} query={query} />}
        </>
      )}
    </section>
  );
}

function Opened(props: {
  id: string;
  client: HeapClient;
  overview: Overview;
  query: Readonly<Record<string, string>>;
}) {
  const { id, client, overview, query } = props;
  const compared = useComparison(client, { against: query['against'], third: query['third'] });
  const { comparison } = compared;
  const asked = (query['tab'] ?? (comparison === null ? 'classes' : 'grown')) as Tab;
  const tab: Tab = asked in tabs && (asked !== 'grown' || comparison !== null) ? asked : 'classes';
  const objectId = /^\d{1,10}$/.test(query['object'] ?? '') ? Number(query['object']) : null;
  const className = query['class'] ?? null;
  const onObject = (object: number): void => setQuery({ object: String(object) });
  const choose = (next: Tab): void => setQuery({ tab: next, object: null, class: null });
  return (
    <>
      <HeapFacts overview={overview} />
      <HeapCompare id={id} compared={compared} />
      <fieldset class="choices heap-tabs">
        <legend class="sr">List</legend>
        {(Object.keys(tabs) as Tab[])
          .filter((name) => name !== 'grown' || comparison !== null)
          .map((name) => (
            <label key={name} class="choice">
              <input type="radio" name="heap-tab" checked={tab === name} onChange={() => choose(name)} />
              <span>{tabs[name]}</span>
            </label>
          ))}
      </fieldset>
      {objectId !== null ? (
        <>
          <Back label={className === null ? tabs[tab] : className} onBack={() => setQuery({ object: null })} />
          <HeapObjectView client={client} id={objectId} onObject={onObject} />
        </>
      ) : className !== null ? (
        <>
          <Back label={tabs[tab]} onBack={() => setQuery({ class: null })} />
          <HeapClassView client={client} name={className} onObject={onObject} />
        </>
      ) : (
        <>
          {tab === 'classes' && (
            <HeapClasses
              key={comparison === null ? 'one' : 'two'}
              client={client}
              isCompared={comparison !== null}
              onClass={(name) => setQuery({ class: name })}
            />
          )}
          {tab === 'biggest' && <BiggestObjects overview={overview} onObject={onObject} />}
          {tab === 'strings' && <DuplicateStrings overview={overview} />}
          {tab === 'hints' && <GrowthHints overview={overview} onObject={onObject} />}
          {tab === 'grown' && comparison !== null && <GrownPaths comparison={comparison} onObject={onObject} />}
        </>
      )}
    </>
  );
}

function Back({ label, onBack }: { label: string; onBack: () => void }) {
  return (
    <p class="back">
      <button type="button" class="quiet" onClick={onBack}>
        ← <bdi>{label}</bdi>
      </button>
    </p>
  );
}
