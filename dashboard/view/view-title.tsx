import type { ComponentChildren } from 'preact';
import { CopyText } from './copy-text.tsx';
import type { ViewEntry } from './view-props.ts';

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
      <CopyText label="Copy link" text={() => location.href} />
    </div>
  );
}
