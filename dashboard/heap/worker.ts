import { SidescopeError } from '../../protocol/error.ts';
import { analysisOf } from '../../protocol/heap-snapshot/analyse.ts';
import type { HeapAnalysis } from '../../protocol/heap-snapshot/analyse.ts';
import { asDiffBase } from '../../protocol/heap-snapshot/diff.ts';
import type { DiffBase } from '../../protocol/heap-snapshot/diff.ts';
import { SnapshotReader } from '../../protocol/heap-snapshot/read.ts';
import { answerRequests } from '../worker-answers.ts';
import { HeapExplorer } from './explorer.ts';
import { cancelMessage } from './messages.ts';
import type { Progress, QuestionName, Questions, Request, SnapshotSource, Told } from './messages.ts';
import { openSnapshotBytes } from './snapshot-bytes.ts';

/** The thread that holds a snapshot: one is open at a time, and one is read at a time. */
let explorer: HeapExplorer | undefined;
let reading: AbortController | undefined;

answerRequests({
  answer,
  onTold: (message) => {
    if (message === cancelMessage) reading?.abort();
  },
});

async function answer(request: Request): Promise<Questions[QuestionName]['answer']> {
  if (request.name === 'open') {
    explorer = undefined;
    explorer = new HeapExplorer(await analyse(request.asked.source));
    return explorer.overview();
  }
  if (explorer === undefined) throw new SidescopeError('not-found', 'no snapshot is open');
  switch (request.name) {
    case 'compare': {
      const bases: DiffBase[] = [];
      // One after the other, as the graph of each can go before the next is read.
      for (const source of request.asked.sources) bases.push(asDiffBase(await analyse(source)));
      return explorer.compare(bases);
    }
    case 'classes':
      return explorer.classes(request.asked);
    case 'class':
      return explorer.class(request.asked.name);
    case 'object':
      return explorer.object(request.asked);
    case 'fields':
      return explorer.fields(request.asked.node, request.asked.offset);
    case 'retainers':
      return explorer.retainers(request.asked.node, request.asked.offset);
  }
}

async function analyse(source: SnapshotSource): Promise<HeapAnalysis> {
  reading?.abort();
  const own = (reading = new AbortController());
  const { signal } = own;
  try {
    const bytes = await openSnapshotBytes(source, signal);
    const reader = new SnapshotReader({ sizeBytes: bytes.plainBytes });
    const show = paced();
    for await (const chunk of bytes.chunks) {
      signal.throwIfAborted();
      reader.push(chunk);
      show({ phase: 'reading', fraction: bytes.fraction(), bytes: reader.bytesRead });
    }
    const steps = analysisOf(reader.finish());
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      tell({ type: 'progress', progress: { phase: step.value, fraction: null, bytes: reader.bytesRead } });
      // An abort is heard between two steps.
      await turn();
      signal.throwIfAborted();
    }
  } finally {
    if (reading === own) reading = undefined;
  }
}

const showEveryMs = 100;

function paced(): (progress: Progress) => void {
  let lastMs = -Infinity;
  return (progress) => {
    const nowMs = performance.now();
    if (nowMs - lastMs < showEveryMs) return;
    lastMs = nowMs;
    tell({ type: 'progress', progress });
  };
}

function tell(message: Told): void {
  postMessage(message);
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}
