import { formatBytes } from '../format.ts';
import type { ChartPlan } from './charts.ts';

const MiB = 1024 * 1024;

/** What the memory view draws: a chart per pool, each with the limit that it can meet. */
export const memoryPlans: readonly ChartPlan[] = [
  {
    id: 'heap-pool',
    title: 'JavaScript heap',
    format: formatBytes,
    isBinary: true,
    leastTop: 8 * MiB,
    series: [
      { label: 'used', read: ({ heapUsedBytes }) => heapUsedBytes },
      { label: 'reserved', read: ({ heapTotalBytes }) => heapTotalBytes },
      { label: 'heap limit', read: ({ heapLimitBytes }) => heapLimitBytes, isLimit: true },
      { label: 'forecast', read: () => null, isOutlook: true },
    ],
  },
  {
    id: 'external-pool',
    title: 'External: Buffers and native objects',
    format: formatBytes,
    isBinary: true,
    leastTop: 8 * MiB,
    series: [
      { label: 'external', read: ({ externalBytes }) => externalBytes },
      { label: 'of it ArrayBuffers', read: ({ arrayBuffersBytes }) => arrayBuffersBytes },
    ],
  },
  {
    id: 'native-pool',
    title: 'Native: RSS minus what V8 knows',
    format: formatBytes,
    isBinary: true,
    leastTop: 16 * MiB,
    series: [
      {
        label: 'native',
        read: ({ rssBytes, heapTotalBytes, externalBytes }) =>
          rssBytes === null || heapTotalBytes === null || externalBytes === null
            ? null
            : Math.max(0, rssBytes - heapTotalBytes - externalBytes),
      },
    ],
  },
  {
    id: 'process',
    title: 'Process and container',
    format: formatBytes,
    isBinary: true,
    leastTop: 32 * MiB,
    series: [
      { label: 'RSS', read: ({ rssBytes }) => rssBytes },
      { label: 'container', read: ({ containerBytes }) => containerBytes },
      { label: 'container limit', read: ({ containerLimitBytes }) => containerLimitBytes, isLimit: true },
    ],
  },
];
