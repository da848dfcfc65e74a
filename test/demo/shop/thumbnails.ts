import { Worker, isMainThread, parentPort } from 'node:worker_threads';

const widthPx = 1024;
const thumbnailPx = 128;

/** Starts the thread that makes thumbnails: about 15 ms of work every 500 ms. */
export function startThumbnailWorker(): Worker {
  // Its own execArgv: the main thread's preloads are not for it.
  return new Worker(new URL(import.meta.url), { name: 'thumbnails', execArgv: [] });
}

if (!isMainThread) {
  const image = new Uint8Array(widthPx * widthPx).map((_, i) => (i * 2_654_435_761) >>> 24);
  const timer = setInterval(() => resizeThumbnails(image), 500);
  parentPort?.once('message', () => clearInterval(timer));
}

function resizeThumbnails(image: Uint8Array): Uint8Array[] {
  return Array.from({ length: 8 }, (_, i) => averageBlocks(image, i));
}

function averageBlocks(image: Uint8Array, offset: number): Uint8Array {
  const blockPx = widthPx / thumbnailPx;
  const small = new Uint8Array(thumbnailPx * thumbnailPx);
  for (let y = 0; y < thumbnailPx; y++) {
    for (let x = 0; x < thumbnailPx; x++) {
      let sum = 0;
      for (let dy = 0; dy < blockPx; dy++) {
        const start = (y * blockPx + dy) * widthPx + x * blockPx;
        for (let dx = 0; dx < blockPx; dx++) sum += image[(start + dx + offset) % image.length] ?? 0;
      }
      small[y * thumbnailPx + x] = sum / (blockPx * blockPx);
    }
  }
  return small;
}
