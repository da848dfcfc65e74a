import { ByteWriter } from '../cpu-profile/byte-writer.ts';
import { PprofTables } from '../cpu-profile/pprof.ts';
import type { HeapSamplingProfile } from './model.ts';

/** As pprof's Profile, not compressed: one value, `space/bytes`, V8's estimate of what each stack allocated. Root and empty nodes are left out of the samples. */
export function encodeHeapPprof(profile: HeapSamplingProfile): Uint8Array<ArrayBuffer> {
  const { frames, nodeFrames, parents, selfBytes } = profile;
  const writer = new ByteWriter();
  const tables = new PprofTables(frames);
  const valueType = (field: number): void =>
    writer.messageField(field, (inner) => {
      inner.varintField(1, tables.text('space'));
      inner.varintField(2, tables.text('bytes'));
    });
  valueType(1);
  selfBytes.forEach((bytes, node) => {
    if (bytes === 0) return;
    const stack: number[] = [];
    // V8 keeps at most 128 frames.
    for (let at = node; at > 0; at = parents[at]!) stack.push(tables.location(nodeFrames[at]!));
    writer.messageField(2, (sample) => {
      sample.packedField(1, stack);
      sample.packedField(2, [Math.round(bytes)]);
    });
  });
  tables.writeLocations(writer);
  valueType(11);
  writer.varintField(14, tables.text('space'));
  tables.writeTexts(writer);
  return writer.bytes;
}
