// Leaks: uploads are kept as Buffers, outside of the JavaScript heap.
import { every } from './steps.mjs';

const uploads = [];

function keepUpload(id) {
  uploads.push(Buffer.alloc(64_000, id % 256));
}

every(keepUpload);
