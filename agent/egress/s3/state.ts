import { checkStateName, isStateName, type StateFile, type StateStorage } from '../../baseline/state-storage.ts';
import type { S3Client } from './client.ts';
import { formatS3Location, type S3Location } from './location.ts';

/** Requests, of 1,000 names each: what others put beside must not keep us listing. */
const pagesMax = 20;

/** Baselines in a bucket: one object per file below the location's prefix. */
export class S3State implements StateStorage {
  readonly location: string;
  readonly #client: S3Client;
  readonly #root: string;

  constructor(client: S3Client, location: S3Location) {
    this.location = formatS3Location(location);
    this.#client = client;
    this.#root = location.prefix === '' ? '' : `${location.prefix}/`;
  }

  async folders(prefix: string, { max, signal }: { max: number; signal: AbortSignal }): Promise<string[]> {
    const found: string[] = [];
    for await (const { prefixes } of this.#pages(prefix, { delimiter: '/', signal })) {
      for (const one of prefixes) {
        const name = one.slice(this.#root.length + prefix.length).replace(/\/$/, '');
        if (isStateName(name) && !name.includes('/') && found.length < max) found.push(name);
      }
      if (found.length >= max) break;
    }
    return found;
  }

  async files(prefix: string, { max, signal }: { max: number; signal: AbortSignal }): Promise<StateFile[]> {
    const found: StateFile[] = [];
    for await (const { objects } of this.#pages(prefix, { signal })) {
      for (const { key, sizeBytes } of objects) {
        const name = key.slice(this.#root.length);
        if (isStateName(name) && found.length < max) found.push({ name, sizeBytes });
      }
      if (found.length >= max) break;
    }
    return found;
  }

  async read(
    name: string,
    { bytesMax, signal }: { bytesMax: number; signal: AbortSignal },
  ): Promise<Uint8Array | undefined> {
    return await this.#client.get(this.#key(name), { bytesMax, signal });
  }

  async write(name: string, bytes: Uint8Array, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#client.put(this.#key(name), bytes, { signal });
  }

  async delete(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#client.delete(this.#key(name), signal);
  }

  #key(name: string): string {
    return `${this.#root}${checkStateName(name)}`;
  }

  async *#pages(prefix: string, options: { delimiter?: string; signal: AbortSignal }) {
    if (prefix !== '') checkStateName(prefix.slice(0, -1));
    let after: string | undefined;
    for (let page = 0; page < pagesMax; page++) {
      const listing = await this.#client.list(`${this.#root}${prefix}`, { ...options, after, max: 1_000 });
      yield listing;
      after = listing.next;
      if (after === undefined) return;
    }
  }
}
