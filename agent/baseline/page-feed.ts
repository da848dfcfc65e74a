import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import type { Gunzip } from 'node:zlib';
import { SidescopeError } from '../../protocol/error.ts';
import { formatOfContentType } from '../../protocol/prometheus/format.ts';
import type { MetricsFormat } from '../../protocol/prometheus/format.ts';
import type { MetricsPage } from '../../protocol/prometheus/model.ts';
import type { MetricsParser, PageReader } from '../../protocol/prometheus/parser.ts';

/** Parses a page as its body arrives: a piece of 64 kB at a time, so that no task is long and nothing is held. */
export class PageFeed {
  readonly format: MetricsFormat;
  readonly #reader: PageReader;
  readonly #gunzip: Gunzip | undefined;
  #failure: unknown;

  /** Throws `metrics-http-error`, `not-a-metrics-page`, `metrics-too-large` for what the head of the answer says already. */
  constructor({ statusCode, headers }: Pick<IncomingMessage, 'statusCode' | 'headers'>, parser: MetricsParser) {
    if (statusCode !== 200) throw new SidescopeError('metrics-http-error', `the page answers HTTP ${statusCode ?? 0}`);
    this.format = formatOfContentType(headers['content-type']);
    const { bytesMax } = parser.limits;
    const length = Number(headers['content-length'] ?? 0);
    if (length > bytesMax)
      throw new SidescopeError('metrics-too-large', `the page has ${length} bytes; the limit is ${bytesMax}`);
    this.#reader = parser.begin(this.format);
    this.#gunzip = this.#unpacker(headers['content-encoding']);
  }

  /** What is wrong is kept for `end`; then the rest of the page is passed over. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.hasFailed) return;
    if (this.#gunzip === undefined) this.#push(bytes);
    else if (!this.#gunzip.write(bytes)) await this.#settled('drain');
  }

  /** Throws `unreadable-metrics`, `metrics-too-large`: what was wrong first. */
  async end(): Promise<MetricsPage> {
    if (this.#gunzip !== undefined && !this.hasFailed) {
      this.#gunzip.end();
      await this.#settled('end');
    }
    if (this.hasFailed) throw this.#failure;
    return this.#reader.finish();
  }

  #push(bytes: Uint8Array): void {
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#gunzip?.destroy();
  }

  #unpacker(encoding: string | undefined): Gunzip | undefined {
    if (encoding === undefined || encoding === 'identity') return undefined;
    if (encoding !== 'gzip')
      throw new SidescopeError(
        'not-a-metrics-page',
        `the page is encoded as ${encoding.slice(0, 40)}, though that was not asked for`,
      );
    const gunzip = createGunzip();
    gunzip.on('data', (bytes: Buffer) => this.#push(bytes));
    gunzip.on('error', (cause) =>
      this.#fail(new SidescopeError('unreadable-metrics', `the page is no gzip: ${cause.message}`, { cause })),
    );
    return gunzip;
  }

  /** Also ends when the stream is destroyed by a failure. */
  async #settled(event: 'drain' | 'end'): Promise<void> {
    const gunzip = this.#gunzip;
    if (gunzip === undefined || gunzip.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    gunzip.once(event, resolve);
    gunzip.once('close', resolve);
    await promise;
    gunzip.off(event, resolve);
    gunzip.off('close', resolve);
  }
}
