import { SidescopeError } from '../../protocol/error.ts';
import type { ProfileSource } from './messages.ts';

/** Plain bytes; the largest profile that the parsers take is far below. */
const bytesMax = 512 * 1024 * 1024;

/** The plain bytes of a profile. Rejects with the agent's reason; `unreadable-profile` for a gzip that is cut or damaged. */
export async function readSource(source: ProfileSource): Promise<Uint8Array> {
  const blob = source.kind === 'file' ? source.file : await fetchStored(source.url);
  checkSize(blob.size);
  const start = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  const isGzip = start[0] === 0x1f && start[1] === 0x8b;
  return isGzip ? await unzip(blob) : new Uint8Array(await blob.arrayBuffer());
}

async function fetchStored(url: string): Promise<Blob> {
  const response = await fetch(url, { credentials: 'omit', cache: 'no-store' });
  if (!response.ok) throw await refusal(response);
  return await response.blob();
}

async function unzip(blob: Blob): Promise<Uint8Array> {
  const reader = blob.stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw new SidescopeError('unreadable-profile', 'its gzip data is cut short or damaged', { cause: error });
    });
    if (done) break;
    sizeBytes += value.length;
    if (sizeBytes > bytesMax) await reader.cancel();
    checkSize(sizeBytes);
    chunks.push(value);
  }
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function checkSize(sizeBytes: number): void {
  if (sizeBytes > bytesMax) {
    throw new SidescopeError('analysis-limit', `the profile has more than ${bytesMax} B`);
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
