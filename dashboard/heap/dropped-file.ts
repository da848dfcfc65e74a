/** A snapshot of this machine on its way from where it was dropped to the explorer. Nothing keeps it over a reload. */
let waiting: File | null = null;

export function offerFile(file: File): void {
  waiting = file;
}

/** The file that was offered last. */
export function offeredFile(): File | null {
  return waiting;
}
