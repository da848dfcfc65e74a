import { decodeValue, readElements, type Span } from './json-fields.ts';
import type { SourceMapSection } from './parse.ts';

const openBracket = 0x5b;

/**
 * Texts of sources as their map holds them, decoded when they are asked for; undefined where it holds none. The index is that in `sources`.
 * Throws `unreadable-source-map`.
 */
export class SourceContents {
  readonly #bytes: Uint8Array | undefined;
  #spans: readonly Span[] | undefined;

  constructor({ contents }: Pick<SourceMapSection, 'contents'>) {
    this.#bytes = contents?.[0] === openBracket ? contents : undefined;
  }

  of(index: number): string | undefined {
    if (this.#bytes === undefined) return undefined;
    this.#spans ??= readElements(this.#bytes, { start: 0, end: this.#bytes.length });
    const span = this.#spans[index];
    const value = span === undefined ? undefined : decodeValue(this.#bytes, span);
    return typeof value === 'string' ? value : undefined;
  }
}
