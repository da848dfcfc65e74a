import type { Readable } from 'node:stream';
import { SidescopeError } from '../../protocol/error.ts';
import { asSidescopeError } from './problem.ts';
import type { OpenedBytes } from './representation.ts';

export interface DownloadEnd {
  readonly bytes: number;
  /** Undefined also when the client left: that is nobody's fault. */
  readonly failure: SidescopeError | undefined;
  readonly isAborted: boolean;
}

export interface BodyOptions {
  /** Undefined where the length is known at the end only. */
  readonly expectedBytes: number | undefined;
  destroySocket(): boolean;
  /** Once, after the artifact was released. */
  onEnd(end: DownloadEnd): void;
}

export interface Reading {
  body(options: BodyOptions): ReadableStream<Uint8Array>;
}

/** Reads up to the first chunk, and rejects (with everything released) when not even that can be had. */
export async function beginReading(opened: OpenedBytes): Promise<Reading> {
  const chunks = opened.source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  try {
    const first = await chunks.next();
    return { body: (options) => streamOf({ opened, chunks, first }, options) };
  } catch (error) {
    await release(opened);
    throw error;
  }
}

interface Started {
  readonly opened: OpenedBytes;
  readonly chunks: AsyncIterator<Uint8Array>;
  readonly first: IteratorResult<Uint8Array>;
}

/** One chunk is read for each that the socket takes. Whichever way it ends, the artifact is released once. */
function streamOf({ opened, chunks, first }: Started, options: BodyOptions): ReadableStream<Uint8Array> {
  let pending: IteratorResult<Uint8Array> | undefined = first;
  let bytes = 0;
  let isEnded = false;
  const end = async (failure: SidescopeError | undefined, isAborted: boolean) => {
    if (isEnded) return;
    isEnded = true;
    await release(opened);
    options.onEnd({ bytes, failure, isAborted });
  };

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = pending ?? (await chunks.next());
          pending = undefined;
          if (!next.done) {
            bytes += next.value.byteLength;
            controller.enqueue(next.value);
            return;
          }
          checkLength(bytes, options.expectedBytes);
          await end(undefined, false);
          controller.close();
        } catch (error) {
          // `cancel` destroyed the source under this read.
          if (isEnded) return;
          await end(asSidescopeError(error), false);
          // An error given to the stream would be answered as text after the bytes; a cut socket cannot be mistaken.
          if (!options.destroySocket()) controller.error(error);
        }
      },
      cancel: () => end(undefined, true),
    },
    { highWaterMark: 0 },
  );
}

function checkLength(bytes: number, expectedBytes: number | undefined): void {
  if (expectedBytes === undefined || bytes === expectedBytes) return;
  throw new SidescopeError('damaged-profile', `${bytes} bytes could be read of ${expectedBytes}`);
}

async function release({ source, [Symbol.asyncDispose]: dispose }: OpenedBytes): Promise<void> {
  destroyQuietly(source);
  await dispose();
}

/** What a stream says while it is torn down is not news: the reason is known by whoever tears it down. */
function destroyQuietly(source: Readable): void {
  source.on('error', () => {});
  source.destroy();
}
