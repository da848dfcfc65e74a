import { useEffect } from 'preact/hooks';
import type { Pressed, ShortcutAction } from '../model/shortcuts.ts';
import { readKey } from '../model/shortcuts.ts';

/** Calls `onAction` for the keys of the sheet, unless somebody types into a field, holds Ctrl, Alt or Meta, or a dialog is open. */
export function useShortcuts(onAction: (action: ShortcutAction) => void): void {
  useEffect(() => {
    let before: Pressed | null = null;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || isTyping(event.target)) return;
      if (document.querySelector('dialog[open]') !== null) return;
      const { action, rest } = readKey(event.key, { before, nowMs: event.timeStamp });
      before = rest;
      if (action === null) return;
      event.preventDefault();
      onAction(action);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [onAction]);
}

/** Views with keys of their own, as a flame graph, stop the event there. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, select, textarea, [contenteditable]') !== null;
}
