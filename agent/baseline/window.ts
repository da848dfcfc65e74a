import type { LoadSource } from '../../protocol/rest/baseline.ts';

/** One step of a process's life, as it is compared. Clock: milliseconds that no step of the wall clock moves. */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
  /** By measure, see `measureOf`; one that could not be had is not there. */
  readonly values: Readonly<Record<string, number>>;
  readonly loadSource: LoadSource;
  readonly routeRequests: Readonly<Record<string, number>>;
}

export interface ExtraValues {
  /** Requests per second by a counter of the application; null without one. */
  readonly counterLoad: number | null;
  /** Of series that the configuration names. */
  readonly values: Readonly<Record<string, number>>;
}
