import { useCallback, useState } from 'preact/hooks';
import type { ShortcutAction } from '../model/shortcuts.ts';
import { HelpSheet } from './help-sheet.tsx';
import { goTo } from './navigation.ts';
import { useShortcuts } from './use-shortcuts.ts';

/** The keys that work everywhere, and their sheet. */
export function ShellKeys({ onTheme }: { onTheme: () => void }) {
  const [isOpen, setOpen] = useState(false);
  const act = useCallback(
    (action: ShortcutAction): void => {
      switch (action.type) {
        case 'go':
          return goTo(action.path);
        case 'help':
          return setOpen(true);
        case 'find':
          return document
            .querySelector<HTMLInputElement>('main input[type="search"], main input[type="text"]')
            ?.focus();
        case 'theme':
          return onTheme();
        case 'copy-link':
          if (!isSecureContext) return;
          navigator.clipboard.writeText(location.href).catch(() => {
            // Refused by the browser: the button beside the title says so, a key has no place to.
          });
      }
    },
    [onTheme],
  );
  useShortcuts(act);
  return (
    <>
      <button type="button" class="quiet help" aria-label="Keys and help" onClick={() => setOpen(true)}>
        ?
      </button>
      {isOpen && <HelpSheet onClose={() => setOpen(false)} />}
    </>
  );
}
