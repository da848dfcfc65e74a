import { useEffect, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import type { ViewEntry } from './view-props.ts';

const copiedShownMs = 2_000;

/** The name of the view, what one is looking at, and a link to exactly this. */
export function ViewTitle({ entry, children }: { entry: ViewEntry; children?: ComponentChildren }) {
  return (
    <div class="view-title">
      <h2 id="view-title" tabIndex={-1}>
        {entry.title}
      </h2>
      {children}
      <span class="gap" />
      <details class="about">
        <summary>What am I looking at?</summary>
        <p>{entry.about}</p>
      </details>
      <CopyLink />
    </div>
  );
}

/** The address without the token, which is never in it for longer than a moment. */
function CopyLink() {
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), copiedShownMs);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = (): void => {
    const refused = (): void => setSaid('Copy it from the address bar');
    if (!isSecureContext) return refused();
    navigator.clipboard.writeText(location.href).then(() => setSaid('Copied'), refused);
  };
  return (
    <button type="button" class="quiet" onClick={copy}>
      {said ?? 'Copy link'}
    </button>
  );
}
