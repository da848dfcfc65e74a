import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/**
 * For an element that the link names: it is brought into sight when it is first shown, and when the link comes to name it. `nearest` is for one
 * that a click on it names, too: it stays where it is as long as it is in sight.
 */
export function useIntoSight<T extends HTMLElement>(
  isNamed: boolean,
  block: 'center' | 'nearest' = 'center',
): RefObject<T | null> {
  const element = useRef<T>(null);
  useEffect(() => {
    if (isNamed) element.current?.scrollIntoView({ block });
  }, [isNamed]);
  return element;
}
