import { expect, it } from 'vitest';
import { explainProcess } from '../../agent/cli/why.ts';
import {
  evaluateTimeoutMs,
  expressions,
  loadModulesExpression,
  loadTimeoutMs,
} from '../../protocol/inspector/expressions.ts';
import { inspectorMethods } from '../../protocol/inspector/methods.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness } from './harness.ts';

interface Sent {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** The worker's messages lie as text inside the main session's. */
function unwrap(text: string): Sent[] {
  const message = JSON.parse(text) as Sent;
  const inner = message.params['message'];
  return message.method === 'NodeWorker.sendMessageToWorker' ? [message, ...unwrap(inner as string)] : [message];
}

it.each([18, 24])(
  'sends only the methods and expressions of the closed list in a full run, each expression bounded, to Node %i',
  async (node) => {
    await using target = await startTarget('with-workers', { node });
    await using proxy = await startRecordingProxy(target.inspectorPort);
    {
      await using harness = await openHarness([proxy.address], { spanReading: { rateHz: 50 } });
      await waitFor(() => harness.targets.list()[0]?.threads.length === 4, { message: 'four threads' });
      const me = { startedBy: 'tester' };
      await harness.ended(await harness.captures.startCpu({ ...me, durationMs: 200, thread: 'all' }));
      const { id } = await harness.captures.startCpu({ ...me, durationMs: 60_000 });
      await waitFor(() => harness.captures.get(id).progress.phase === 'sampling', { message: 'sampling' });
      await harness.captures.cancel(id, 'tester');
      await harness.captures.readStacks({});
      await harness.ended(await harness.captures.startHeapSampling({ ...me, durationMs: 1_000 }));
      await harness.ended(await harness.captures.startHeapSampling({ ...me, durationMs: 1_000, thread: 'worker-1' }));
      await harness.ended(await harness.captures.startHeapSnapshot({ ...me, force: true }));
      await harness.ended(await harness.captures.startHeapSnapshot({ ...me, force: true, thread: 'worker-1' }));
    }
    const signal = new AbortController().signal;
    const quiet = { environment: {}, platform: process.platform, print: () => undefined, say: () => undefined };
    await explainProcess({ argv: [proxy.address], signal, ...quiet });
    const sent = proxy.sent.flatMap(unwrap);
    const unknown = sent.filter(({ method }) => !(inspectorMethods as readonly string[]).includes(method));
    expect(unknown).toEqual([]);
    const texts = new Set(Object.values(expressions) as string[]);
    for (const { params } of sent.filter(({ method }) => method === 'Runtime.evaluate')) {
      expect(texts).toContain(params['expression']);
      const timeout = params['expression'] === loadModulesExpression ? loadTimeoutMs : evaluateTimeoutMs;
      expect(params).toMatchObject({ timeout, silent: true, returnByValue: true });
      expect(params['expression']).toMatch(/\n\/\/# sourceURL=sidescope:[a-z-]+$/);
    }
    // In each thread before all that takes a module: an evaluation cut off while Node loads one leaves it empty for the application.
    const loads = sent.filter(({ params }) => params['expression'] === loadModulesExpression);
    expect(loads.length).toBeGreaterThanOrEqual(2);
    expect(sent.find(({ method }) => method === 'Runtime.evaluate')).toBe(loads[0]);
    // Sent to a worker it would hold the target's exit for good.
    const toWorkers = proxy.sent.filter((text) => text.includes('sendMessageToWorker'));
    expect(toWorkers.length).toBeGreaterThan(0);
    expect(toWorkers.filter((text) => text.includes('notifyWhenWaitingForDisconnect'))).toEqual([]);
    // What was enabled is disabled again, in each session.
    const count = (name: string): number => sent.filter(({ method }) => method === name).length;
    expect(count('Profiler.disable')).toBe(count('Profiler.enable'));
    expect(count('Profiler.startPreciseCoverage')).toBeGreaterThanOrEqual(2);
    expect(count('Profiler.stopPreciseCoverage')).toBe(count('Profiler.startPreciseCoverage'));
    expect(count('HeapProfiler.startSampling')).toBe(2);
    expect(count('HeapProfiler.stopSampling')).toBe(2);
    expect(count('NodeWorker.disable')).toBe(count('NodeWorker.enable'));
    expect(sent[0]).toEqual({ id: 1, method: 'NodeRuntime.notifyWhenWaitingForDisconnect', params: { enabled: true } });
  },
);
