import { useEffect, useState } from 'preact/hooks';
import { outcomes, type RequestQuery } from '../model/request-query.ts';
import { setQuery } from './navigation.ts';

/** Which requests are listed, and in which order. */
export function RequestsFilter({ query }: { query: RequestQuery }) {
  return (
    <div class="fields filter">
      <label class="field">
        Order
        <select
          value={query.order}
          onChange={({ currentTarget: { value } }) => setQuery({ order: value === 'newest' ? null : value })}
        >
          <option value="newest">Newest first, live</option>
          <option value="slowest">Slowest first</option>
        </select>
      </label>
      <label class="field">
        Outcome
        <select
          value={query.status ?? ''}
          onChange={(event) => setQuery({ status: event.currentTarget.value || null })}
        >
          <option value="">All</option>
          {Object.entries(outcomes).map(([status, words]) => (
            <option key={status} value={status}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <FilterText
        label="Route"
        value={query.route ?? ''}
        placeholder="GET /users/:id"
        onValue={(route) => setQuery({ route: route || null })}
      />
      <FilterText
        label="At least (ms)"
        value={query.minDuration ?? ''}
        onValue={(min) => setQuery({ min: min || null })}
      />
    </div>
  );
}

/** Takes effect with Enter or when the focus leaves. What is being typed is its own: the page is drawn anew at any moment. */
function FilterText(props: { label: string; value: string; placeholder?: string; onValue: (value: string) => void }) {
  const { label, value, placeholder, onValue } = props;
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <label class="field">
      {label}
      <input
        value={text}
        placeholder={placeholder}
        onInput={(event) => setText(event.currentTarget.value)}
        onChange={(event) => onValue(event.currentTarget.value.trim())}
      />
    </label>
  );
}
