import { launchBrowser } from '../page/browser.ts';

/** What DevTools makes of a snapshot. */
export interface DevToolsView {
  readonly nodeCount: number;
  readonly totalBytes: number;
  /** As its table has them: name, objects, bytes of their own, bytes that they retain at most. */
  readonly classes: readonly (readonly [name: string, count: number, selfBytes: number, retainedBytes: number])[];
  /** Of the columns that it computes, each as SHA-256: who holds whom by which edge, and what every object retains. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Opens snapshots in Chromium's own DevTools: its heap snapshot workers, asked as its Memory panel asks them. */
export async function openInDevTools(snapshots: readonly Uint8Array[]): Promise<DevToolsView[]> {
  await using browser = await launchBrowser();
  const page = await browser.open(
    'devtools://devtools/bundled/entrypoints/heap_snapshot_worker/heap_snapshot_worker-entrypoint.js',
  );
  const views: DevToolsView[] = [];
  for (const snapshot of snapshots) {
    const text = new TextDecoder().decode(snapshot);
    views.push(await page.evaluate(viewInPage, text));
  }
  return views;
}

/** Runs in the page: nothing from outside of it. */
async function viewInPage(text: string): Promise<DevToolsView> {
  interface Answer {
    readonly callId?: number;
    readonly result: unknown;
    readonly error?: string;
  }
  const startWorker = async (): Promise<Worker> => {
    const worker = new Worker(location.href, { type: 'module' });
    await new Promise((resolve, reject) => {
      worker.addEventListener('message', resolve, { once: true });
      worker.addEventListener('error', () => reject(new Error('the worker of DevTools does not start')), {
        once: true,
      });
    });
    return worker;
  };
  const [first, second] = await Promise.all([startWorker(), startWorker()]);
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastCall = 0;
  first.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
    const call = data.callId === undefined ? undefined : waiting.get(data.callId);
    if (data.error === undefined) call?.resolve(data.result);
    else call?.reject(new Error(`DevTools: ${data.error}`));
  });
  const call = (message: object, ports: MessagePort[] = []): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const callId = ++lastCall;
      waiting.set(callId, { resolve, reject });
      first.postMessage({ callId, ...message }, ports);
    });
  try {
    const { port1, port2 } = new MessageChannel();
    second.postMessage({ callId: 1, disposition: 'setupForSecondaryInit', objectId: 1 }, [port1]);
    await call({ disposition: 'createLoader', objectId: 1 });
    const loader = { disposition: 'method', objectId: 1 };
    for (let at = 0; at < text.length; at += 1_000_003) {
      await call({ ...loader, methodName: 'write', methodArguments: [text.slice(at, at + 1_000_003)] });
    }
    await call({ ...loader, methodName: 'close', methodArguments: [] });
    const build = { disposition: 'factory', objectId: 1, newObjectId: 2, methodName: 'buildSnapshot' };
    await call({ ...build, methodArguments: [] }, [port2]);
    const get = (methodName: string): Promise<unknown> => call({ disposition: 'getter', objectId: 2, methodName });
    const aggregates = (await call({
      disposition: 'method',
      objectId: 2,
      methodName: 'aggregatesWithFilter',
      methodArguments: [{}],
    })) as Record<string, { name: string; count: number; self: number; maxRet: number }>;
    const columns: Record<string, string> = {};
    for (const name of ['retainedSizes', 'firstRetainerIndex', 'retainingNodes', 'retainingEdges', 'dominatorsTree']) {
      const column = (await get(name)) as Float64Array<ArrayBuffer>;
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', column));
      columns[name] = `${column.length} ${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
    }
    return {
      nodeCount: (await get('nodeCount')) as number,
      totalBytes: (await get('totalSize')) as number,
      classes: Object.values(aggregates)
        .map(({ name, count, self, maxRet }) => [name, count, self, maxRet] as const)
        .sort(([a, countA], [b, countB]) => (a === b ? countA - countB : a < b ? -1 : 1)),
      columns,
    };
  } finally {
    first.terminate();
    second.terminate();
  }
}
