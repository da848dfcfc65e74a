import { SidescopeError } from '../../protocol/error.ts';
import type { SnapshotSource } from './messages.ts';

export interface SnapshotBytes {
  /** Of the plain bytes, where known. */
  readonly plainBytes: number | undefined;
  /** How far one is, from 0 to 1. */
  fraction(): number | null;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** The plain bytes of a snapshot, as they come: nothing is held. Rejects with the agent's reason, and with `signal.reason`. */
export async function openSnapshotBytes(source: SnapshotSource, signal: AbortSignal): Promise<SnapshotBytes> {
  return source.kind === 'file' ? openFile(source.file, signal) : await openStored(source, signal);
}

async function openStored(
  { url, sizeBytes }: Extract<SnapshotSource, { kind: 'stored' }>,
  signal: AbortSignal,
): Promise<SnapshotBytes> {
  const response = await fetch(url, { credentials: 'omit', cache: 'no-store', signal });
  if (!response.ok || response.body === null) throw await refusal(response);
  let bytes = 0;
  return {
    plainBytes: sizeBytes,
    fraction: () => Math.min(1, bytes / sizeBytes),
    chunks: counted(response.body, (length) => (bytes += length)),
  };
}

async function openFile(file: File, signal: AbortSignal): Promise<SnapshotBytes> {
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const isGzip = start[0] === 0x1f && start[1] === 0x8b;
  signal.throwIfAborted();
  let read = 0;
  const stored = file.stream().pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: (chunk, controller) => {
        signal.throwIfAborted();
        read += chunk.length;
        controller.enqueue(chunk);
      },
    }),
  );
  return {
    plainBytes: isGzip ? undefined : file.size,
    fraction: () => (file.size === 0 ? null : read / file.size),
    chunks: counted(isGzip ? stored.pipeThrough(new DecompressionStream('gzip')) : stored, () => undefined),
  };
}

async function* counted(
  body: ReadableStream<Uint8Array>,
  count: (length: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      count(value.length);
      yield value;
    }
  } finally {
    // Whatever is wrong with the rest, nobody reads it.
    reader.cancel().catch(() => undefined);
  }
}

async function refusal(response: Response): Promise<Error> {
  let detail = `the agent answered ${response.status} ${response.statusText}`;
  try {
    const problem = (await response.json()) as { detail?: unknown };
    if (typeof problem.detail === 'string') detail = problem.detail;
  } catch {
    // A proxy's page, or a body cut off: the status is what we know.
  }
  return new SidescopeError(response.status === 404 ? 'unknown-profile' : 'damaged-profile', detail);
}
