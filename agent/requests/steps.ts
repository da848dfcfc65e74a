import { setImmediate as turn } from 'node:timers/promises';

/** Runs a machine that works in steps; between two of them sockets, timers and everybody else get their turn. */
export async function runInSteps<Step, Result>(
  machine: Generator<Step, Result>,
  onStep?: (step: Step) => void,
): Promise<Result> {
  for (;;) {
    const step = machine.next();
    if (step.done === true) return step.value;
    onStep?.(step.value);
    await turn();
  }
}
