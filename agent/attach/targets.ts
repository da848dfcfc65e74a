import type { EventEmitter } from 'node:events';
import type { Target } from '../../protocol/rest/target.ts';

/** Every target that the options name. `change` fires with the whole view of a target whenever any of it changed. */
export declare class Targets extends EventEmitter<{ change: [Target] }> {
  list(): readonly Target[];
  /** Throws `unknown-target`. */
  view(id: string): Target;
}
