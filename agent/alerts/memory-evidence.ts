import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { Evidence } from './condition.ts';

/** Evidence of this name, a JSON object, is what sinks show as the target's memory statistics. */
export const memoryEvidenceName = 'memory.json';

interface VitalsSource {
  on(event: 'vitals', listener: (vitals: Vitals) => void): unknown;
  off(event: 'vitals', listener: (vitals: Vitals) => void): unknown;
}

/** The last memory reading of every target, to go with its alerts. */
export class MemoryEvidence implements Disposable {
  readonly #latest = new Map<string, Vitals>();
  readonly #source: VitalsSource;
  readonly #onVitals = (vitals: Vitals): void => {
    // A reading that failed says nothing of the memory; the one before is dated.
    if (vitals.error === null) this.#latest.set(vitals.targetId, vitals);
  };

  constructor(source: VitalsSource) {
    this.#source = source;
    source.on('vitals', this.#onVitals);
  }

  of(targetId: string): Evidence | undefined {
    const vitals = this.#latest.get(targetId);
    if (vitals === undefined) return undefined;
    const { at, instanceId, memory, cgroup } = vitals;
    const text = `${JSON.stringify({ at, instanceId, ...memory, cgroup }, null, 2)}\n`;
    return { name: memoryEvidenceName, mediaType: 'application/json', text };
  }

  [Symbol.dispose](): void {
    this.#source.off('vitals', this.#onVitals);
  }
}
