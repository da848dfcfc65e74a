import { SidescopeError } from '../../protocol/error.ts';
import { usageExpression } from '../../protocol/inspector/expressions.ts';
import { decodeUsage, type UsageReading } from '../../protocol/inspector/readings.ts';
import type { Session } from '../attach/session.ts';

/** For the cost of a capture, where a missing number is no reason to fail: undefined when the target does not say. */
export async function readUsage(session: Session): Promise<UsageReading | undefined> {
  try {
    return decodeUsage(await session.evaluate(usageExpression, { timeoutMs: 5_000 }));
  } catch (error) {
    if (error instanceof SidescopeError && !session.ended.aborted) return undefined;
    throw error;
  }
}
