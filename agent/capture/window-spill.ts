import fsp from 'node:fs/promises';
import type { WindowSource } from './write-joined.ts';

/** Windows of a capture that is under way, one behind the other in a file: only their places are in memory. */
export class WindowSpill implements AsyncDisposable {
  readonly #path: string;
  readonly #sources: WindowSource[] = [];
  #sizeBytes = 0;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Rejections are those of the file system; they come with `sources`. */
  add(gzip: Uint8Array): void {
    const at = this.#sizeBytes;
    this.#sizeBytes += gzip.length;
    this.#sources.push({ path: this.#path, at, length: gzip.length });
    this.#writing = this.#writing.then(() => fsp.appendFile(this.#path, gzip, { mode: 0o600 }));
    // Reported by `sources`.
    this.#writing.catch(() => undefined);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** All of them, on disk. */
  async sources(): Promise<readonly WindowSource[]> {
    await this.#writing;
    return this.#sources;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => undefined);
    await fsp.rm(this.#path, { force: true });
  }
}
