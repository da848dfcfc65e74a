import { useState } from 'preact/hooks';
import { formatCount } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { requestViews, type RequestView } from '../model/request-words.ts';
import { HotFunctionsTable } from './hot-functions-table.tsx';
import { RequestsTable } from './requests-table.tsx';
import { RoutesTable } from './routes-table.tsx';

/** Requests as the target's own spans tell them. */
export function RequestsSection({ state }: { state: PageState }) {
  const [view, setView] = useState<RequestView>('list');
  const [route, setRoute] = useState('');
  const showRoute = (name: string): void => {
    setRoute(name);
    setView('list');
  };
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
              <input type="radio" name="requests-view" checked={view === name} onChange={() => setView(name)} />
              <span>{requestViews[name]}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {view === 'list' && <RequestsTable state={state} route={route} onRoute={setRoute} />}
      {view === 'routes' && <RoutesTable state={state} onRoute={showRoute} />}
      {view === 'hot' && <HotFunctionsTable state={state} />}
    </section>
  );
}
