// Leaks: zlib streams that are used and never closed. Their windows are memory of zlib, which V8 hears little of; their output would be Buffers, so it is kept small.
import zlib from 'node:zlib';
import { every, numbers } from './steps.mjs';

const open = [];
const chunk = Buffer.from(numbers(200).join());

function compress(id) {
  if (id % 3 !== 0) return;
  const stream = zlib.createDeflate({ windowBits: 15, memLevel: 9, chunkSize: 64 });
  stream.write(chunk);
  open.push(stream);
}

every(compress);
