import fs from 'node:fs';

interface Reservation {
  expectedBytes: number;
  writtenBytes: number;
}

/**
 * What the store has on disk, and what is promised to files being written. Counted, not measured, except for the index.
 *
 *     budget |------ used ------|-- promised --|      free      |
 *             artifacts, metadata, tmp, index,   not yet written
 *             set aside, other parts' files
 */
export class DiskSpace {
  readonly budgetBytes: number;
  artifactBytes = 0;
  metadataBytes = 0;
  /** Files in the directory that other parts of the agent wrote, and those set aside: measured when the store opened. */
  otherBytes = 0;
  readonly #indexPath: string;
  readonly #reservations = new Map<string, Reservation>();

  constructor(budgetBytes: number, indexPath: string) {
    this.budgetBytes = budgetBytes;
    this.#indexPath = indexPath;
  }

  usedBytes(): number {
    let bytes = this.artifactBytes + this.metadataBytes + this.otherBytes + this.#indexBytes();
    for (const { writtenBytes } of this.#reservations.values()) bytes += writtenBytes;
    return bytes;
  }

  promisedBytes(): number {
    let bytes = 0;
    for (const { expectedBytes, writtenBytes } of this.#reservations.values()) bytes += expectedBytes - writtenBytes;
    return bytes;
  }

  /** How much has to go before `bytes` more can be promised. */
  missingFor(bytes: number): number {
    return Math.max(0, this.usedBytes() + this.promisedBytes() + bytes - this.budgetBytes);
  }

  reserve(id: string, expectedBytes: number): void {
    this.#reservations.set(id, { expectedBytes, writtenBytes: 0 });
  }

  /** How many of `bytes` go beyond what was promised to the file. */
  beyondPromise(id: string, bytes: number): number {
    const reservation = this.#reservation(id);
    return Math.max(0, reservation.writtenBytes + bytes - reservation.expectedBytes);
  }

  write(id: string, bytes: number): void {
    const reservation = this.#reservation(id);
    reservation.writtenBytes += bytes;
    reservation.expectedBytes = Math.max(reservation.expectedBytes, reservation.writtenBytes);
  }

  release(id: string): void {
    this.#reservations.delete(id);
  }

  #reservation(id: string): Reservation {
    const reservation = this.#reservations.get(id);
    if (reservation === undefined) throw new Error(`no file ${id} is being written`);
    return reservation;
  }

  #indexBytes(): number {
    let bytes = 0;
    for (const suffix of ['', '-wal', '-journal']) {
      bytes += fs.statSync(this.#indexPath + suffix, { throwIfNoEntry: false })?.size ?? 0;
    }
    return bytes;
  }
}
