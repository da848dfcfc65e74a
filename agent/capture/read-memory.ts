import { SidescopeError } from '../../protocol/error.ts';
import { memoryExpression } from '../../protocol/inspector/expressions.ts';
import { decodeMemory, type MemoryReading } from '../../protocol/inspector/readings.ts';
import type { Session } from '../attach/session.ts';

/** For the cost of a capture, where a missing number is no reason to fail: undefined when the target does not say. */
export async function readMemory(session: Session): Promise<MemoryReading | undefined> {
  try {
    return decodeMemory(await session.evaluate(memoryExpression, { timeoutMs: 5_000 }));
  } catch (error) {
    if (error instanceof SidescopeError && !session.ended.aborted) return undefined;
    throw error;
  }
}
