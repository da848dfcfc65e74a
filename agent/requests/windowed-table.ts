/** Statistics go back at least 55 minutes, in steps of five. */
export const slotMs = 300_000;
const maxSlots = 12;

interface Slot<Row> {
  readonly fromMs: number;
  readonly rows: Map<string, Map<string, Row>>;
  size: number;
}

/** What is left of many: the row of the names that found no place. */
export const otherName = '(other)';

/**
 * Rows by group and name, in slots of five minutes for an hour. A slot holds `maxRows`; further names share one row, `(other)`, per group. So a million
 * different names cost no more than `maxRows`.
 */
export class WindowedTable<Row> {
  readonly #create: () => Row;
  readonly #maxRows: number;
  #slots: Slot<Row>[] = [];
  /** How many additions went to `(other)`. */
  overflowed = 0;

  constructor({ maxRows, create }: { maxRows: number; create: () => Row }) {
    this.#maxRows = maxRows;
    this.#create = create;
  }

  row(group: string, name: string, nowMs: number): Row {
    const slot = this.#slotAt(nowMs);
    let rows = slot.rows.get(group);
    if (rows === undefined) slot.rows.set(group, (rows = new Map<string, Row>()));
    const known = rows.get(name);
    if (known !== undefined) return known;
    const isFull = slot.size >= this.#maxRows;
    if (isFull) this.overflowed += 1;
    const key = isFull ? otherName : name;
    const there = rows.get(key);
    if (there !== undefined) return there;
    const row = this.#create();
    rows.set(key, row);
    slot.size += 1;
    return row;
  }

  /** The rows of the slots that `sinceMs` falls into or that are later, all where it is undefined, and where the first of them begins. Without those after `untilMs`. */
  read(
    sinceMs: number | undefined,
    nowMs: number,
    untilMs = Infinity,
  ): { fromMs: number; rows: { group: string; name: string; row: Row }[] } {
    const slots = this.#slots.filter(
      ({ fromMs }) => fromMs + slotMs > (sinceMs ?? 0) && fromMs > nowMs - maxSlots * slotMs && fromMs <= untilMs,
    );
    const rows = slots.flatMap((slot) =>
      [...slot.rows].flatMap(([group, named]) => [...named].map(([name, row]) => ({ group, name, row }))),
    );
    return { fromMs: slots[0]?.fromMs ?? nowMs, rows };
  }

  #slotAt(nowMs: number): Slot<Row> {
    const last = this.#slots.at(-1);
    // A clock set back must not make a slot before the last one.
    if (last !== undefined && nowMs < last.fromMs + slotMs) return last;
    const slot: Slot<Row> = { fromMs: Math.floor(nowMs / slotMs) * slotMs, rows: new Map(), size: 0 };
    this.#slots = [...this.#slots, slot].slice(-maxSlots);
    return slot;
  }
}
