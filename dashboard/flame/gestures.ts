/** What a hand does over the graph, in parts of its width (0 to 1) and pixels. */
export interface GestureHandlers {
  readonly onZoom: (zoom: { factor: number; at: number }) => void;
  /** To the right of what is shown: above 0. */
  readonly onPan: (by: { width: number; heightPx: number }) => void;
  readonly onHover: (point: Point | null) => void;
  readonly onPick: (point: Point) => void;
  readonly onEnter: (point: Point) => void;
}

/** In pixels, from the left upper corner of what is shown. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A tremble of the finger is no drag. */
const dragFromPx = 5;
const zoomPerWheelPx = 0.0025;

/**
 * Mouse: drag moves, wheel with Ctrl or Command zooms, double click enters. Touch: one finger moves (up and down by the browser itself), two zoom. The plain wheel
 * scrolls, as everywhere.
 */
export function followGestures(element: HTMLElement, handlers: GestureHandlers, signal: AbortSignal): void {
  const fingers = new Map<number, Point>();
  let isDrag = false;
  let began: Point = { x: 0, y: 0 };
  const pointOf = (event: MouseEvent): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const on = <Name extends keyof HTMLElementEventMap>(
    name: Name,
    listener: (event: HTMLElementEventMap[Name]) => void,
  ): void => element.addEventListener(name, listener, { signal, passive: false });

  on('pointerdown', (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, pointOf(event));
    if (fingers.size === 1) {
      isDrag = false;
      began = pointOf(event);
    }
  });
  on('pointermove', (event) => {
    const before = fingers.get(event.pointerId);
    const now = pointOf(event);
    if (before === undefined) {
      handlers.onHover(now);
      return;
    }
    if (!isDrag && fingers.size === 1 && Math.hypot(now.x - began.x, now.y - began.y) < dragFromPx) return;
    if (!isDrag) {
      isDrag = true;
      // Only now: a capture at once would take the double click away.
      element.setPointerCapture(event.pointerId);
      handlers.onHover(null);
    }
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    const width = element.clientWidth;
    if (other === undefined) {
      const heightPx = event.pointerType === 'mouse' ? before.y - now.y : 0;
      handlers.onPan({ width: (before.x - now.x) / width, heightPx });
      return;
    }
    const factor = Math.max(1, Math.abs(now.x - other.x)) / Math.max(1, Math.abs(before.x - other.x));
    handlers.onZoom({ factor: Math.min(4, Math.max(0.25, factor)), at: (now.x + other.x) / 2 / width });
  });
  const lift = (event: PointerEvent, isPick: boolean): void => {
    if (!fingers.delete(event.pointerId)) return;
    if (isPick && !isDrag && fingers.size === 0) handlers.onPick(pointOf(event));
  };
  on('pointerup', (event) => lift(event, true));
  on('pointercancel', (event) => lift(event, false));
  on('pointerleave', () => handlers.onHover(null));
  on('dblclick', (event) => handlers.onEnter(pointOf(event)));
  on('wheel', (event) => {
    const width = element.clientWidth;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      handlers.onZoom({ factor: Math.exp(-event.deltaY * zoomPerWheelPx), at: pointOf(event).x / width });
      return;
    }
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) <= Math.abs(event.shiftKey ? 0 : event.deltaY)) return;
    event.preventDefault();
    handlers.onPan({ width: sideways / width, heightPx: 0 });
  });
}
