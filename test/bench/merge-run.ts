// Merges the files named in its arguments, and tells how long that took and what memory it had.
import { readFileSync } from 'node:fs';
import { PprofMerger } from '../../protocol/cpu-profile/merge-pprof.ts';

const before = process.memoryUsage().rss;
const start = performance.now();
const merger = new PprofMerger();
process.argv.slice(2).forEach((path, index) => merger.add(readFileSync(path), { pod: `shop-${index}` }));
const outBytes = merger.finish().length;
const ms = performance.now() - start;
const peakBytes = process.resourceUsage().maxRSS * 1024;
process.send?.({ ms, outBytes, grownBytes: peakBytes - before, peakBytes });
