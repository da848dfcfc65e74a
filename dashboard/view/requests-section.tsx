import { formatCount } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { readRequestQuery } from '../model/request-query.ts';
import { requestViews, type RequestView } from '../model/request-words.ts';
import { HotFunctionsTable } from './hot-functions-table.tsx';
import { setQuery } from './navigation.ts';
import { RequestsTable } from './requests-table.tsx';
import { RoutesTable } from './routes-table.tsx';

/** Requests as the target's own spans tell them. What is chosen is in the link. */
export function RequestsSection({ state, query }: { state: PageState; query: Readonly<Record<string, string>> }) {
  const chosen = readRequestQuery(query);
  const { view } = chosen;
  return (
    <section id="requests" aria-labelledby="requests-title">
      <div class="title">
        <h2 id="requests-title" class="sr">
          Requests
        </h2>
        {state.requests && <span class="dim">{formatCount(state.requests.requests)} since the agent started</span>}
        <fieldset class="choices views">
          <legend class="sr">View</legend>
          {(Object.keys(requestViews) as RequestView[]).map((name) => (
            <label key={name} class="choice">
              <input
                type="radio"
                name="requests-view"
                checked={view === name}
                onChange={() => setQuery({ view: name === 'list' ? null : name, trace: null })}
              />
              <span>{requestViews[name]}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {view === 'list' && <RequestsTable state={state} query={chosen} />}
      {view === 'routes' && <RoutesTable state={state} onRoute={(route) => setQuery({ view: null, route })} />}
      {view === 'hot' && <HotFunctionsTable state={state} />}
    </section>
  );
}
