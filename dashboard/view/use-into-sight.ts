import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** For an element that the link names: it is brought into sight when it is first shown, and when the link comes to name it. */
export function useIntoSight<T extends HTMLElement>(isNamed: boolean): RefObject<T | null> {
  const element = useRef<T>(null);
  useEffect(() => {
    if (isNamed) element.current?.scrollIntoView({ block: 'center' });
  }, [isNamed]);
  return element;
}
