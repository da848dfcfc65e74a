import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Palette, SwatchName } from '../flame/colours.ts';
import { categoryWords } from '../flame/flame-words.ts';

const changeWords = {
  grew: '+ Larger share than before',
  shrank: '− Smaller share than before',
  same: '±0 As before',
} as const;

const words: Readonly<Record<SwatchName, string>> = { ...categoryWords, ...changeWords };
const swatchNames = Object.keys(words) as SwatchName[];

/** What each colour means; the graph takes its colours from these very elements, so that both are the same in every theme. */
export function FlameLegend({ change, legend }: { change: boolean; legend: RefObject<HTMLUListElement | null> }) {
  return (
    <ul class="legend" ref={legend} aria-label="Legend">
      {swatchNames.map((name) => (
        <li key={name} hidden={change !== name in changeWords}>
          <span class={`swatch swatch-${name}`} data-swatch={name} aria-hidden="true" /> {words[name]}
        </li>
      ))}
    </ul>
  );
}

/** Read again when the theme changes. */
export function usePalette(): { palette: Palette | null; legend: RefObject<HTMLUListElement | null> } {
  const legend = useRef<HTMLUListElement>(null);
  const [palette, setPalette] = useState<Palette | null>(null);
  useEffect(() => {
    const read = (): void => {
      if (legend.current !== null) setPalette(readPalette(legend.current));
    };
    read();
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const chosen = new MutationObserver(read);
    dark.addEventListener('change', read);
    chosen.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    return () => {
      dark.removeEventListener('change', read);
      chosen.disconnect();
    };
  }, []);
  return { palette, legend };
}

function readPalette(legend: HTMLElement): Palette {
  const swatches = {} as Record<SwatchName, string>;
  for (const element of legend.querySelectorAll<HTMLElement>('[data-swatch]')) {
    swatches[element.dataset['swatch'] as SwatchName] = getComputedStyle(element).backgroundColor;
  }
  const page = getComputedStyle(document.body);
  return { swatches, text: page.color, edge: page.color, ground: page.backgroundColor };
}
