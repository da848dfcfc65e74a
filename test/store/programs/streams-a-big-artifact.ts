// Writes one artifact of the given size, reads it whole, reads its end, and prints the highest RSS of each phase in MiB.
import { openStore, sampleDraft, sampleOutcome } from '../sample.ts';
import type { ProfileKind } from '../../../protocol/rest/profile.ts';

const directory = process.argv[2] ?? '';
const kind = (process.argv[3] ?? 'heap-snapshot') as ProfileKind;
const sizeBytes = Number(process.argv[4] ?? 0);
const mebibyte = 1024 * 1024;

let peakBytes = 0;
let lastBytes = 0;
function look(bytes: number): void {
  lastBytes += bytes;
  if (lastBytes < mebibyte) return;
  lastBytes = 0;
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
}
function takePeak(): number {
  const mib = peakBytes / mebibyte;
  peakBytes = 0;
  return Math.round(mib);
}

const store = await openStore(directory, { budgetBytes: 4e9 });
const idle = Math.round(process.memoryUsage.rss() / mebibyte);

// A line of a snapshot's nodes, with numbers that change: compresses to about a fifth, as the real ones do.
const buffer = Buffer.alloc(256 * 1024);
function fill(round: number): void {
  let state = round + 1;
  for (let offset = 0; offset < buffer.length; offset++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    buffer[offset] = state >>> 30 === 0 ? 48 + ((state >>> 16) % 10) : 44;
  }
}

let startedMs = performance.now();
const writer = await store.create(sampleDraft({ kind }), { expectedBytes: sizeBytes });
for (let written = 0; written < sizeBytes; written += buffer.length) {
  // New numbers now and then; generating all of them would take longer than storing them.
  if (written % (64 * buffer.length) === 0) fill(written);
  await writer.write(buffer);
  look(buffer.length);
}
const profile = await writer.finish(sampleOutcome());
const write = { peakMib: takePeak(), ms: Math.round(performance.now() - startedMs) };

async function readFrom(start: number): Promise<{ peakMib: number; ms: number; bytes: number }> {
  startedMs = performance.now();
  await using reader = await store.open(profile.id);
  let bytes = 0;
  for await (const chunk of reader.plain({ start, end: profile.sizeBytes }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    look(chunk.length);
  }
  look(mebibyte);
  return { peakMib: takePeak(), ms: Math.round(performance.now() - startedMs), bytes };
}
const whole = await readFrom(0);
const tail = await readFrom(profile.sizeBytes - 1000);
await store[Symbol.asyncDispose]();
console.log(
  JSON.stringify({ idle, sizeBytes: profile.sizeBytes, storedBytes: profile.storedBytes, write, whole, tail }),
);
