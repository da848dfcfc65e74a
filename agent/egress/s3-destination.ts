import type { Destination, SendAttempt } from './destination.ts';
import { metadataOf } from './metadata.ts';
import type { Parcel } from './parcel.ts';
import type { S3Client } from './s3/client.ts';
import { formatS3Location, type S3Location } from './s3/location.ts';
import { removeParts, uploadStream } from './s3/upload.ts';
import { fillKey } from './template.ts';

export interface S3DestinationOptions {
  readonly client: S3Client;
  readonly location: S3Location;
  readonly key: string;
  /** `pprof`: CPU profiles and heap samplings so; heap snapshots always go as they are. */
  readonly format: 'native' | 'pprof';
  readonly redact: boolean;
  readonly encryption?: { readonly sse: string; readonly kmsKey: string | undefined } | undefined;
}

/** One object for each profile. What has a known length goes in one PUT straight from the disk, heap snapshots in parts of 8 MiB. */
export function s3Destination(options: S3DestinationOptions): Destination {
  const { client, location } = options;
  return {
    where: formatS3Location(location),
    takes: ['cpu', 'heap-snapshot', 'heap-sampling'],
    send: (parcel, attempt) => send(parcel, { ...options, ...attempt }),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

async function send(parcel: Parcel, options: S3DestinationOptions & SendAttempt): Promise<number> {
  const { client, format, redact, signal, note, setNote } = options;
  const { facts } = parcel;
  if (format === 'pprof' && facts.kind !== 'heap-snapshot') {
    const bytes = await parcel.pprof(signal);
    const headers = headersOf(parcel, { ...options, mediaType: 'application/vnd.google.protobuf+gzip' });
    await client.put(keyOf(parcel, { ...options, extension: 'pb.gz' }), bytes, { headers, signal });
    return bytes.length;
  }
  await using artifact = await parcel.artifact({ redact });
  const { stream, known, extension, mediaType } = artifact;
  const key = keyOf(parcel, { ...options, extension });
  const headers = headersOf(parcel, { ...options, mediaType });
  if (known !== undefined) {
    await client.put(key, { stream, ...known }, { headers, signal });
    return known.sizeBytes;
  }
  // Left by an agent that died in the middle of it.
  if (note !== null) await removeParts(client, key, { uploadId: note, note: (id) => setNote(id ?? null) });
  const source = stream as AsyncIterable<Uint8Array>;
  return await uploadStream(client, key, { source, headers, signal, note: (id) => setNote(id ?? null) });
}

function keyOf(parcel: Parcel, { location, key, extension }: S3DestinationOptions & { extension: string }): string {
  const filled = `${fillKey(key, parcel.facts)}.${extension}`;
  return location.prefix === '' ? filled : `${location.prefix}/${filled}`;
}

function headersOf(
  { facts }: Parcel,
  { redact, encryption, mediaType }: S3DestinationOptions & { mediaType: string },
): Record<string, string> {
  return {
    'content-type': mediaType,
    ...(encryption !== undefined && { 'x-amz-server-side-encryption': encryption.sse }),
    ...(encryption?.kmsKey !== undefined && { 'x-amz-server-side-encryption-aws-kms-key-id': encryption.kmsKey }),
    ...metadataOf(facts, { isRedacted: redact }),
  };
}
