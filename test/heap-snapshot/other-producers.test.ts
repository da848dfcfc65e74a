import { expect, test } from 'vitest';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import { retainersOfClass } from '../../protocol/heap-snapshot/retainer-groups.ts';
import { heapSummaryText } from '../../protocol/heap-snapshot/report.ts';
import { summarizeHeap } from '../../protocol/heap-snapshot/summary.ts';
import { openHarness } from '../capture/harness.ts';
import { launchBrowser } from '../page/browser.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openInDevTools } from './devtools.ts';
import { readSnapshot } from './snapshots.ts';

test("Chrome's of a page: its classes and ways as DevTools counts them, and its detached elements", async () => {
  const bytes = await takeOfPage();
  const analysis = analyseHeap(readSnapshot(bytes));
  const { graph, histogram } = analysis;
  expect(retainersOfClass(analysis, 'Session')?.groups.map(({ path, count }) => [path, count])).toEqual([
    ['Window.sessions.table[]', 500],
  ]);
  const { hints, selfBytes } = summarizeHeap(analysis);
  expect(hints.map(({ text, path }) => `${text} | ${path}`)).toContainEqual(
    expect.stringMatching(/^60 detached nodes of the embedder \| Window\.gone\[\d+\]$/),
  );
  const [view] = await openInDevTools([bytes]);
  expect(view!.nodeCount).toBe(graph.nodeCount);
  expect(view!.totalBytes).toBe(selfBytes);
  const sessions = histogram.find(({ name }) => name === 'Session')!;
  expect(view!.classes.find(([name]) => name === 'Session')).toEqual([
    'Session',
    500,
    sessions.selfBytes,
    sessions.retainedBytes,
  ]);
});

test('one of a worker, taken by the agent: what is in the worker, and nothing of the main thread', async () => {
  await using target = await startTarget('with-workers');
  await using harness = await openHarness([target.inspectorAddress]);
  await waitFor(() => harness.targets.list()[0]?.threads.length === 4, { message: 'four threads' });
  const { captures } = harness;
  const operation = await harness.ended(await captures.startHeapSnapshot({ startedBy: 'test', thread: 'worker-2' }));
  expect(operation.error).toBe(null);
  const bytes = Buffer.from(await harness.read(operation.profileIds[0] ?? ''), 'latin1');
  const analysis = analyseHeap(readSnapshot(bytes));
  const { types, functions, graph } = analysis;
  expect(types.reduce((sum, { count }) => sum + count, 0)).toBe(graph.nodeCount);
  const places = graph.types.reduce<string[]>((found, _, node) => {
    const place = functions.of(node);
    if (place !== undefined && /^burn(Alpha|Beta|Gamma)$/.test(place.functionName))
      found.push(`${place.functionName}:${place.line}`);
    return found;
  }, []);
  expect([...new Set(places)]).toEqual(['burnBeta:12']);
  expect(retainersOfClass(analysis, 'MessagePort')?.count).toBeGreaterThan(0);
  const text = heapSummaryText(summarizeHeap(analysis, 30));
  expect(text.split('\n').length).toBeLessThan(200);
});

async function takeOfPage(): Promise<Buffer> {
  await using browser = await launchBrowser();
  const page = await browser.open('about:blank');
  await page.evaluate(() => {
    class Session {
      readonly id: number;
      constructor(id: number) {
        this.id = id;
      }
    }
    const gone = Array.from({ length: 60 }, () => {
      const element = document.createElement('p');
      document.body.append(element);
      element.remove();
      return element;
    });
    const sessions = new Map(Array.from({ length: 500 }, (_, id) => [id, new Session(id)]));
    Object.assign(globalThis, { gone, sessions });
  });
  const session = await browser.context.newCDPSession(page);
  const chunks: string[] = [];
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => chunks.push(chunk));
  await session.send('HeapProfiler.takeHeapSnapshot');
  return Buffer.from(chunks.join(''));
}
