import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { RequestWindow, SpanReadings } from '../../protocol/cpu-profile/spans.ts';

/** 72,000 readings, 20,000 spans; 5,000 requests with 32 waits each. */
const plainBytesMax = 16 * 1024 * 1024;

/** For the store. Times as distances in whole microseconds: 5 bytes a reading, before compression. */
export function encodeReadings({ timesUs, ...readings }: SpanReadings): Uint8Array {
  let beforeUs = 0;
  const distancesUs = timesUs.map((timeUs) => {
    const distanceUs = Math.round(timeUs) - beforeUs;
    beforeUs += distanceUs;
    return distanceUs;
  });
  return deflateRawSync(JSON.stringify({ distancesUs, ...readings }));
}

/** Of bytes that `encodeReadings` made: the index holds nothing else. */
export function decodeReadings(bytes: Uint8Array): SpanReadings {
  const { distancesUs, ...readings } = inflate(bytes) as Omit<SpanReadings, 'timesUs'> & { distancesUs: number[] };
  let atUs = 0;
  return { timesUs: distancesUs.map((distanceUs) => (atUs += distanceUs)), ...readings };
}

export function encodeRequests(requests: readonly RequestWindow[]): Uint8Array {
  return deflateRawSync(JSON.stringify(requests));
}

export function decodeRequests(bytes: Uint8Array): RequestWindow[] {
  return inflate(bytes) as RequestWindow[];
}

function inflate(bytes: Uint8Array): unknown {
  return JSON.parse(inflateRawSync(bytes, { maxOutputLength: plainBytesMax }).toString('utf8'));
}
