import { useState } from 'preact/hooks';
import { formatBytes, formatCount } from '../format.ts';
import { formatBytesChange, formatChange } from '../heap/heap-words.ts';
import type { HeapClient } from '../heap/heap-client.ts';
import type { ClassOrder, ClassRow } from '../heap/messages.ts';
import { VirtualRows } from './virtual-rows.tsx';

const rowPx = 30;

const columns: readonly (readonly [ClassOrder, string])[] = [
  ['name', 'Class'],
  ['count', 'Objects'],
  ['self', 'Self'],
  ['retained', 'Retained'],
];
const changeColumns: readonly (readonly [ClassOrder, string])[] = [
  ['new', 'Objects since'],
  ['growth', 'Retained since'],
];

/** Every class of the snapshot; `onClass` opens one. */
export function HeapClasses(props: { client: HeapClient; isCompared: boolean; onClass: (name: string) => void }) {
  const { client, isCompared, onClass } = props;
  const [sorting, setSorting] = useState<{ order: ClassOrder; isDescending: boolean }>({
    order: isCompared ? 'growth' : 'retained',
    isDescending: true,
  });
  const [filter, setFilter] = useState('');
  const shown = isCompared ? [...columns, ...changeColumns] : columns;
  const sortBy = (order: ClassOrder): void =>
    setSorting({ order, isDescending: sorting.order === order ? !sorting.isDescending : order !== 'name' });
  return (
    <>
      <label class="field filter">
        Class name has
        <input type="search" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
      </label>
      <VirtualRows<ClassRow>
        label="Classes"
        listKey={JSON.stringify([sorting, filter, isCompared])}
        rowPx={rowPx}
        empty={filter === '' ? 'There are none.' : 'No class has this in its name.'}
        read={(offset, limit) => client.ask('classes', { ...sorting, filter, offset, limit })}
        keyOf={({ name }) => name}
        head={
          <div role="row" class={`class-row head ${isCompared ? 'compared' : ''}`}>
            {shown.map(([order, title]) => {
              const isChosen = sorting.order === order;
              const direction = sorting.isDescending ? 'descending' : 'ascending';
              return (
                <div
                  key={order}
                  role="columnheader"
                  class={order === 'name' ? '' : 'num'}
                  aria-sort={isChosen ? direction : 'none'}
                >
                  <button type="button" class="quiet" onClick={() => sortBy(order)}>
                    {title}
                    <span aria-hidden="true">{isChosen ? (sorting.isDescending ? ' ↓' : ' ↑') : ''}</span>
                  </button>
                </div>
              );
            })}
          </div>
        }
        row={({ name, count, selfBytes, retainedBytes, change }) => (
          <div role="none" class={`class-row ${isCompared ? 'compared' : ''}`}>
            <div role="cell" class="class-name">
              <button type="button" class="link" title={name} disabled={count === 0} onClick={() => onClass(name)}>
                <bdi>{name === '' ? '(no name)' : name}</bdi>
              </button>
            </div>
            <div role="cell" class="num">
              {formatCount(count)}
            </div>
            <div role="cell" class="num">
              {formatBytes(selfBytes)}
            </div>
            <div role="cell" class="num">
              {formatBytes(retainedBytes)}
            </div>
            {change !== null && (
              <>
                <div
                  role="cell"
                  class="num"
                  title={`${formatCount(change.newCount)} new, ${formatCount(change.freedCount)} freed`}
                >
                  {formatChange(change.count)}
                </div>
                <div role="cell" class="num">
                  {formatBytesChange(change.retainedBytes)}
                </div>
              </>
            )}
          </div>
        )}
      />
    </>
  );
}
