import type { CpuProfile } from '../../protocol/cpu-profile/model.ts';
import {
  sumRequests,
  sumTrace,
  type ProfileRequestCpu,
  type TraceCpu,
} from '../../protocol/cpu-profile/request-cpu.ts';
import type { JoinInput, RequestWindow } from '../../protocol/cpu-profile/spans.ts';
import { decodeReadings } from './join-bytes.ts';

/** What a profile is joined with, as it is sent to the process that reads profiles. */
export interface JoinQuery {
  /** As `encodeReadings` made them. */
  readonly readings: Uint8Array | undefined;
  readonly requests: readonly RequestWindow[];
  /** Wall clock minus the profile's, as the capture's clock says; what the readings say goes before. */
  readonly wallOffsetMs: number | null;
  readonly isMainThread: boolean;
}

export type JoinQuestion =
  | { readonly of: 'requests'; readonly limit: number }
  | { readonly of: 'trace'; readonly traceId: string; readonly limit: number };

export type JoinAnswer =
  { readonly of: 'requests'; readonly sums: ProfileRequestCpu } | { readonly of: 'trace'; readonly sums: TraceCpu };

/** In the process that reads profiles. */
export function joinProfile(profile: CpuProfile, query: JoinQuery, question: JoinQuestion): JoinAnswer {
  const input = joinInput(query);
  return question.of === 'requests'
    ? { of: 'requests', sums: sumRequests(profile, input, question.limit) }
    : { of: 'trace', sums: sumTrace(profile, input, question) };
}

export function joinInput({ readings: bytes, requests, wallOffsetMs, isMainThread }: JoinQuery): JoinInput {
  const readings = bytes === undefined ? null : decodeReadings(bytes);
  return { readings, requests, wallOffsetMs: readings?.wallOffsetMs ?? wallOffsetMs, isMainThread };
}
