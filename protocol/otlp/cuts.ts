/** What the bounds on single values have cost decoded spans, since the object was made. The forwarded bytes have all of it. */
export interface Cuts {
  /** Strings that were cut and byte values that were left empty, for their length. */
  strings: number;
  /** Attributes and events left out, and lists that end early, as their span holds as many values as it may. */
  values: number;
}

export function noCuts(): Cuts {
  return { strings: 0, values: 0 };
}

export function sumOfCuts(a: Readonly<Cuts>, b: Readonly<Cuts>): Cuts {
  return { strings: a.strings + b.strings, values: a.values + b.values };
}
