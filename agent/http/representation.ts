import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { SidescopeError } from '../../protocol/error.ts';
import type { Profile, ProfileFormat, ProfileKind } from '../../protocol/rest/profile.ts';
import type { Redactions } from '../capture/redactions.ts';
import type { ByteRange } from './range.ts';
import type { StoreService } from './services.ts';

/** Bytes that hold a lease on their artifact until disposed. */
export interface OpenedBytes extends AsyncDisposable {
  readonly source: Readable;
}

/** One of the forms in which an artifact can go out; each has an ETag of its own (RFC 9110, section 8.8.3). */
export interface Representation {
  readonly etag: string;
  /** Undefined where it is known at the end only. */
  readonly sizeBytes: number | undefined;
  /** The form that goes out as it is stored takes no Range: Range is of the plain bytes. */
  readonly takesRange: boolean;
  readonly fileName: string;
  readonly headers: Record<string, string>;
  open(range: ByteRange | undefined): Promise<OpenedBytes>;
}

export const ownFormat = {
  cpu: 'cpuprofile',
  'heap-snapshot': 'heapsnapshot',
  'heap-sampling': 'heapprofile',
} as const satisfies Record<ProfileKind, ProfileFormat>;

/** The artifact itself. ETag and digest are those of the plain bytes, whatever the disk holds. */
export function plainRepresentation(store: StoreService, profile: Profile): Representation {
  return {
    etag: `"${profile.sha256}"`,
    sizeBytes: profile.sizeBytes,
    takesRange: true,
    fileName: profile.fileName,
    headers: {
      'accept-ranges': 'bytes',
      'repr-digest': `sha-256=:${Buffer.from(profile.sha256, 'hex').toString('base64')}:`,
      vary: 'Accept-Encoding',
    },
    open: async (range) => {
      const reader = await store.open(profile.id);
      return { source: reader.plain(range), [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose]() };
    },
  };
}

/** The gzip member as it lies on the disk: nothing is unpacked to be packed again. */
export function storedRepresentation(store: StoreService, profile: Profile): Representation {
  return {
    etag: `"${profile.sha256}-gzip"`,
    sizeBytes: profile.storedBytes,
    takesRange: false,
    fileName: profile.fileName,
    headers: { 'content-encoding': 'gzip', vary: 'Accept-Encoding' },
    open: async () => {
      const reader = await store.open(profile.id);
      const source = reader.stored();
      if (source !== undefined) return { source, [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose]() };
      await reader[Symbol.asyncDispose]();
      throw new SidescopeError('damaged-profile', `${profile.id} should be compressed at rest, and is not`);
    },
  };
}

/** Made while it goes out: no Range, and no length beforehand. */
export function redactedRepresentation(redacted: {
  store: StoreService;
  profile: Profile;
  redactions: Pick<Redactions, 'open' | 'variant'>;
  gzip: boolean;
}): Representation {
  const { store, profile, redactions, gzip } = redacted;
  return {
    etag: `"${profile.sha256}-redacted-${redactions.variant}${gzip ? '-gzip' : ''}"`,
    sizeBytes: undefined,
    takesRange: false,
    fileName: profile.fileName.replace(/(?=\.\w+$)/, '.redacted'),
    headers: { 'accept-ranges': 'none', vary: 'Accept-Encoding', ...(gzip ? { 'content-encoding': 'gzip' } : {}) },
    open: async () => {
      const reader = await store.open(profile.id);
      try {
        return {
          source: redactions.open(reader, { gzip }),
          [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
        };
      } catch (error) {
        await reader[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

export function convertedRepresentation(converted: {
  profile: Profile;
  format: ProfileFormat;
  bytes: Uint8Array;
}): Representation {
  const { profile, format, bytes } = converted;
  const digest = createHash('sha256').update(bytes).digest();
  return {
    etag: `"${digest.toString('hex')}"`,
    sizeBytes: bytes.byteLength,
    takesRange: true,
    fileName: profile.fileName.replace(/\.\w+$/, '') + extensionOf(format, bytes),
    headers: { 'accept-ranges': 'bytes', 'repr-digest': `sha-256=:${digest.toString('base64')}:` },
    open: async (range) => ({
      source: Readable.from([bytes.subarray(range?.start, range?.end)], { objectMode: false }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  };
}

function extensionOf(format: ProfileFormat, bytes: Uint8Array): string {
  if (format === 'pprof') return bytes[0] === 0x1f && bytes[1] === 0x8b ? '.pb.gz' : '.pb';
  return format === 'collapsed' ? '.collapsed.txt' : `.${format}`;
}
