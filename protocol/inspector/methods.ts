import type { ExpressionText, FunctionText } from './expressions.ts';

type Empty = Record<string, never>;

/**
 * The closed list of inspector methods that Sidescope ever sends. A test records every message of a full run and
 * compares it with this list. `Debugger` and `Runtime.enable` are absent on purpose: the inspector is remote code execution, and the
 * agent is the boundary.
 */
export interface InspectorMethods {
  /** Main sessions only. Sent to a worker's session it holds `process.exit` for good, on every version (18-26). */
  'NodeRuntime.notifyWhenWaitingForDisconnect': { params: { enabled: boolean }; result: Empty };
  'NodeWorker.enable': { params: { waitForDebuggerOnStart: false }; result: Empty };
  'NodeWorker.disable': { params: Empty; result: Empty };
  'NodeWorker.sendMessageToWorker': { params: { sessionId: string; message: string }; result: Empty };
  'Runtime.evaluate': { params: EvaluateParams | EvaluateToObjectParams; result: EvaluateResult };
  /** Has no timeout: only on the probe, whose functions were tried under one when it was made. */
  'Runtime.callFunctionOn': { params: CallParams; result: EvaluateResult };
  /** The cheapest command there is: answered on every version, also at the exit. */
  'Runtime.getHeapUsage': { params: Empty; result: { usedSize: number; totalSize: number } };
  'Profiler.enable': { params: Empty; result: Empty };
  'Profiler.disable': { params: Empty; result: Empty };
  /** Fails while a profile runs in the same session. */
  'Profiler.setSamplingInterval': { params: { interval: number }; result: Empty };
  /** The expensive call: stalls the target 37-107 ms idle, up to 265 ms under load. */
  'Profiler.start': { params: Empty; result: Empty };
  'Profiler.stop': { params: Empty; result: { profile: unknown } };
  /** Never for its counts: beginning it makes V8 forget all optimised code. Ended at once. */
  'Profiler.startPreciseCoverage': { params: { callCount: false; detailed: false }; result: { timestamp?: number } };
  'Profiler.stopPreciseCoverage': { params: Empty; result: Empty };
  /** Cannot be cancelled: also not by closing the socket. Answers after the last chunk. */
  'HeapProfiler.takeHeapSnapshot': { params: { reportProgress: true }; result: Empty };
  /**
   * Needs no `HeapProfiler.enable` (18-26). One sampler exists per isolate: while another runs this answers as if it had begun, and does nothing.
   * Before V8 10.7 (Node 18) the two flags are ignored.
   */
  'HeapProfiler.startSampling': { params: HeapSamplingParams; result: Empty };
  /** Refused when no sampler runs; else it forces a full collection, and reads whoever's sampler it is. */
  'HeapProfiler.getSamplingProfile': { params: Empty; result: { profile: unknown } };
  /** Also ends a sampler that somebody else started. Forces a full collection. */
  'HeapProfiler.stopSampling': { params: Empty; result: { profile: unknown } };
}

export type InspectorMethod = keyof InspectorMethods;

export const inspectorMethods: readonly InspectorMethod[] = [
  'NodeRuntime.notifyWhenWaitingForDisconnect',
  'NodeWorker.enable',
  'NodeWorker.disable',
  'NodeWorker.sendMessageToWorker',
  'Runtime.evaluate',
  'Runtime.callFunctionOn',
  'Runtime.getHeapUsage',
  'Profiler.enable',
  'Profiler.disable',
  'Profiler.setSamplingInterval',
  'Profiler.start',
  'Profiler.stop',
  'Profiler.startPreciseCoverage',
  'Profiler.stopPreciseCoverage',
  'HeapProfiler.takeHeapSnapshot',
  'HeapProfiler.startSampling',
  'HeapProfiler.getSamplingProfile',
  'HeapProfiler.stopSampling',
];

/** The events that are read. All others are dropped unparsed. */
export interface InspectorEvents {
  'NodeRuntime.waitingForDisconnect': Empty;
  'NodeWorker.attachedToWorker': {
    sessionId: string;
    workerInfo: { workerId: string; type: string; title: string; url: string };
  };
  'NodeWorker.detachedFromWorker': { sessionId: string };
  'NodeWorker.receivedMessageFromWorker': { sessionId: string; message: string };
  'HeapProfiler.addHeapSnapshotChunk': { chunk: string };
  'HeapProfiler.reportHeapSnapshotProgress': { done: number; total: number; finished?: boolean };
}

export type InspectorEvent = keyof InspectorEvents;

/** Every evaluation has exactly these settings. Without `timeout` a patched function of the target would hang it for good. */
export interface EvaluateParams {
  expression: ExpressionText;
  timeout: number;
  silent: true;
  returnByValue: true;
  /** For `require`. True only where it must be: it kills a target of 18 or 20 that evaluates it in its natural exit. */
  includeCommandLineAPI: boolean;
  /** The answer is what the promise comes to; `timeout` holds only for the part before. */
  awaitPromise?: true;
}

/** The answer stays in the target, as an object that is held until our session ends. */
export interface EvaluateToObjectParams extends Omit<EvaluateParams, 'returnByValue'> {
  returnByValue: false;
  objectGroup: 'sidescope';
}

export interface CallParams {
  objectId: string;
  functionDeclaration: FunctionText;
  silent: true;
  returnByValue: true;
}

export interface HeapSamplingParams {
  /** Mean bytes between two samples. */
  samplingInterval: number;
  includeObjectsCollectedByMajorGC?: true;
  includeObjectsCollectedByMinorGC?: true;
}

export interface EvaluateResult {
  result: { type: string; subtype?: string; value?: unknown; description?: string; objectId?: string };
  exceptionDetails?: { text: string; exception?: { description?: string } };
}
