import { SidescopeError } from '../../protocol/error.ts';
import { isEndedState, type Operation, type OperationKind } from '../../protocol/rest/operation.ts';
import { newId } from '../store/id.ts';

/** Ended operations stay in the table for this long. */
const keptMs = 60 * 60_000;

export interface OperationEnding {
  readonly state: Extract<Operation['state'], 'succeeded' | 'partial' | 'failed' | 'cancelled'>;
  readonly error?: unknown;
  readonly warnings?: readonly string[];
}

/** One operation from the request to its end. The first ending counts; later ones and late progress are ignored. */
export class OperationRecord {
  #view: Operation;
  readonly #onChange: (view: Operation) => void;
  readonly #ended = Promise.withResolvers<undefined>();

  constructor(
    draft: Pick<Operation, 'targetId' | 'thread' | 'startedBy' | 'parameters'> & { kind: OperationKind },
    onChange: (view: Operation) => void,
  ) {
    this.#onChange = onChange;
    this.#view = {
      id: newId(),
      ...draft,
      state: 'queued',
      createdAt: now(),
      startedAt: null,
      endedAt: null,
      expiresAt: null,
      progress: { phase: 'queued', fraction: null, bytes: 0 },
      queuePosition: null,
      profileIds: [],
      warnings: [],
      error: null,
    };
  }

  get view(): Operation {
    return this.#view;
  }

  get id(): string {
    return this.#view.id;
  }

  get isEnded(): boolean {
    return isEndedState(this.#view.state);
  }

  /** Resolves when the operation has ended; never rejects. */
  get ended(): Promise<undefined> {
    return this.#ended.promise;
  }

  queuedAt(queuePosition: number | null): void {
    if (this.#view.state === 'queued' && this.#view.queuePosition !== queuePosition) this.#change({ queuePosition });
  }

  start(phase: string): void {
    this.#change({
      state: 'running',
      startedAt: now(),
      queuePosition: null,
      progress: { phase, fraction: null, bytes: 0 },
    });
  }

  progress(progress: Operation['progress']): void {
    this.#change({ progress });
  }

  addProfile(profileId: string): void {
    this.#change({ profileIds: [...this.#view.profileIds, profileId] });
  }

  warn(warning: string): void {
    this.#view = { ...this.#view, warnings: [...this.#view.warnings, warning] };
    this.#onChange(this.#view);
  }

  end({ state, error, warnings = [] }: OperationEnding): void {
    if (this.isEnded) return;
    const endedAt = now();
    this.#change({
      state,
      endedAt,
      expiresAt: new Date(Date.parse(endedAt) + keptMs).toISOString(),
      queuePosition: null,
      progress: {
        ...this.#view.progress,
        phase: state,
        fraction: state === 'succeeded' ? 1 : this.#view.progress.fraction,
      },
      warnings: [...this.#view.warnings, ...warnings],
      error: error === undefined ? null : toError(error),
    });
    this.#ended.resolve(undefined);
  }

  #change(change: Partial<Operation>): void {
    if (this.isEnded) return;
    this.#view = { ...this.#view, ...change };
    this.#onChange(this.#view);
  }
}

function toError(error: unknown): NonNullable<Operation['error']> {
  if (!(error instanceof SidescopeError))
    return { code: 'internal', message: 'a fault of Sidescope itself; the log has it' };
  const { code, message, details } = error;
  return Object.keys(details).length === 0 ? { code, message } : { code, message, details };
}

const now = (): string => new Date().toISOString();
