/** What a key means anywhere on the page, outside of fields. Two keys in a row, as `g c`, lead to views. */
export interface Shortcut {
  readonly keys: string;
  readonly words: string;
  readonly action: ShortcutAction;
}

export type ShortcutAction =
  | { readonly type: 'go'; readonly path: string }
  | { readonly type: 'help' }
  | { readonly type: 'find' }
  | { readonly type: 'theme' }
  | { readonly type: 'copy-link' };

export const shortcuts: readonly Shortcut[] = [
  { keys: '?', words: 'This sheet', action: { type: 'help' } },
  { keys: '/', words: 'To the first search field of the view', action: { type: 'find' } },
  { keys: 'g o', words: 'Overview', action: { type: 'go', path: '/' } },
  { keys: 'g c', words: 'Captures', action: { type: 'go', path: '/captures' } },
  { keys: 'g q', words: 'Requests', action: { type: 'go', path: '/requests' } },
  { keys: 'g m', words: 'Memory', action: { type: 'go', path: '/memory' } },
  { keys: 'g s', words: 'Stacks', action: { type: 'go', path: '/stacks' } },
  { keys: 'g r', words: 'Regressions', action: { type: 'go', path: '/regressions' } },
  { keys: 'g a', words: 'Alerts', action: { type: 'go', path: '/alerts' } },
  { keys: 'y', words: 'Copy the link to this view', action: { type: 'copy-link' } },
  { keys: 't', words: 'Light, dark, or as the system', action: { type: 'theme' } },
];

/** A second key counts when it comes soon. */
const pairMs = 1_200;

export interface Pressed {
  readonly key: string;
  readonly atMs: number;
}

/** What a key means after the one before; `rest` is what the next one may complete. */
export function readKey(
  key: string,
  at: { readonly before: Pressed | null; readonly nowMs: number },
): { action: ShortcutAction | null; rest: Pressed | null } {
  const { before, nowMs } = at;
  const isPair = before !== null && nowMs - before.atMs <= pairMs;
  const keys = isPair ? `${before.key} ${key}` : key;
  const action = shortcuts.find((shortcut) => shortcut.keys === keys)?.action ?? null;
  const begins = !isPair && shortcuts.some((shortcut) => shortcut.keys.startsWith(`${key} `));
  return { action, rest: begins ? { key, atMs: nowMs } : null };
}
