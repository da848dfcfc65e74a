import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { CopyText } from './copy-text.tsx';
import type { ViewEntry } from './view-props.ts';
import { viewText } from './view-text.ts';

/** The name of the view, what one is looking at, and a link to exactly this. */
export function ViewTitle({ entry, children }: { entry: ViewEntry; children?: ComponentChildren }) {
  const title = useRef<HTMLHeadingElement>(null);
  const shown = useRef(entry);
  // A screen reader and the keyboard go on where the new view begins; not when the page is opened.
  useEffect(() => {
    if (shown.current === entry) return;
    shown.current = entry;
    scrollTo(0, 0);
    title.current?.focus({ preventScroll: true });
  }, [entry]);
  return (
    <div class="view-title">
      <h2 id="view-title" ref={title} tabIndex={-1}>
        {entry.title}
      </h2>
      {children}
      <span class="gap" />
      <details class="about">
        <summary>What am I looking at?</summary>
        <p>{entry.about}</p>
      </details>
      <CopyText label="Copy link" text={() => location.href} />
      <CopyText label="Copy view as text" text={() => shownText(entry.title)} />
    </div>
  );
}

/** What is below the title; where it is from stands above it. */
function shownText(title: string): string {
  const main = document.querySelector('main');
  const parts = main === null ? [] : [...main.children].filter((part) => !part.matches('.view-title')).map(viewText);
  return [`${title}: ${location.href}`, ...parts].join('\n\n');
}
