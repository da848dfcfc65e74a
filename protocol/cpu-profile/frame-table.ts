import type { Frame } from './model.ts';
import { checkBound } from './profile-fields.ts';

const FRAMES_MAX = 500_000;
const FRAME_TEXT_MAX = 32 * 1024 * 1024;

/** Functions, each once. Throws `analysis-limit` beyond 500,000 of them, or 32 Mi characters of their names and places. */
export class FrameTable {
  readonly frames: Frame[] = [];
  readonly #indexByKey = new Map<string, number>();
  #textLength = 0;

  indexOf(frame: Frame): number {
    // The same file can be loaded twice: then the script differs, and the function is still the same to a reader.
    const script = frame.url === '' ? frame.scriptId : '';
    const key = `${script}\n${frame.line}:${frame.column}\n${frame.url}\n${frame.functionName}`;
    const known = this.#indexByKey.get(key);
    if (known !== undefined) return known;
    this.#textLength += key.length;
    checkBound('characters of names', this.#textLength, FRAME_TEXT_MAX);
    checkBound('functions', this.frames.length + 1, FRAMES_MAX);
    this.#indexByKey.set(key, this.frames.length);
    return this.frames.push(frame) - 1;
  }
}
