import { useCallback, useState } from 'preact/hooks';
import { apiBase } from '../api.ts';
import type { Connection, PageState } from '../model/page-state.ts';
import type { Tone } from '../model/words.ts';
import type { Theme } from '../theme.ts';
import { applyTheme, readTheme } from '../theme.ts';
import { views } from '../views.ts';
import { hrefTo, useAddress } from './navigation.ts';
import { Badge } from './parts.tsx';
import { ShellKeys } from './shell-keys.tsx';
import type { ViewEntry } from './view-props.ts';

const connectionWords: Readonly<Record<Connection['state'], readonly [Tone, string]>> = {
  connecting: ['busy', 'Connecting'],
  live: ['good', 'Live'],
  reconnecting: ['warn', 'Reconnecting'],
  'signed-out': ['idle', 'Signed out'],
};

export function Header({ state, shown }: { state: PageState; shown: ViewEntry | undefined }) {
  const [tone, word] = connectionWords[state.connection.state];
  // Again at each change of the address, so that links keep the target that was chosen meanwhile.
  useAddress();
  return (
    <header class="top">
      <h1>
        <Mark /> Sidescope
      </h1>
      {state.info && <span class="version">{state.info.version}</span>}
      <nav aria-label="Views">
        {state.loaded &&
          views
            .filter(({ inNav }) => inNav)
            .map(({ path, title }) => (
              <a
                key={path}
                href={hrefTo(path)}
                aria-current={shown?.path === path ? 'page' : shown?.below === path ? 'true' : undefined}
              >
                {title}
              </a>
            ))}
      </nav>
      <Badge tone={tone}>{word}</Badge>
      <ThemeSelect />
    </header>
  );
}

export function Footer() {
  return (
    <footer>
      <p>
        Sidescope profiles a running Node.js process from beside it: no restart, no SDK, no code in the target. Nothing
        on this page leaves this origin.
      </p>
      <p>
        <a href={`${apiBase}/ui/docs`}>API documentation</a>
        <a href={`${apiBase}/openapi.json`}>openapi.json</a>
      </p>
    </footer>
  );
}

const themes: readonly Theme[] = ['system', 'light', 'dark'];

function ThemeSelect() {
  const [theme, setTheme] = useState<Theme>(readTheme);
  const choose = useCallback((chosen: Theme): void => {
    applyTheme(chosen);
    setTheme(chosen);
  }, []);
  const next = useCallback(
    () => choose(themes[(themes.indexOf(readTheme()) + 1) % themes.length] ?? 'system'),
    [choose],
  );
  return (
    <>
      <label class="theme">
        <span class="sr">Colours</span>
        <select value={theme} onChange={(event) => choose(event.currentTarget.value as Theme)}>
          <option value="system">System</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </label>
      <ShellKeys onTheme={next} />
    </>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
      <path d="M4 6h24v5H4zm0 7.5h16v5H4zM4 21h8v5H4z" fill="currentColor" />
    </svg>
  );
}
