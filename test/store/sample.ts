import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { ProfileStore } from '../../agent/store/store.ts';
import type { ProfileDraft, ProfileOutcome, StoreOptions } from '../../agent/store/store.ts';

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly facts: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function recordingLog(): StoreOptions['log'] & { lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: LogLine['level']) => (facts: object, message: string) => {
    lines.push({ level, facts: { ...facts }, message });
  };
  return { lines, info: at('info'), warn: at('warn'), error: at('error') };
}

export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

export function scratchDirectory(): Scratch {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'store-test-'));
  return {
    path: directory,
    async [Symbol.asyncDispose]() {
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function openStore(directory: string, options: Partial<StoreOptions> = {}): Promise<ProfileStore> {
  return ProfileStore.open({
    directory,
    budgetBytes: 64 * 1024 * 1024,
    retentionCount: 0,
    retentionAgeMs: 0,
    log: recordingLog(),
    ...options,
  });
}

export function sampleDraft(changes: Partial<ProfileDraft> = {}): ProfileDraft {
  return {
    kind: 'cpu',
    operationId: 'op-1',
    targetId: 'target-1',
    targetName: 'Shop API',
    target: {
      instanceId: 'instance-1',
      pid: 4711,
      ppid: 1,
      startedAt: '2026-01-31T11:00:00.000Z',
      nodeVersion: 'v22.1.0',
      v8Version: '12.4',
      arch: 'x64',
      platform: 'linux',
      hostname: 'shop-0',
      title: 'node',
      mainScript: '/app/server.js',
      appName: 'shop-api',
      appVersion: '1.2.3',
    },
    thread: { id: 'main', kind: 'main', title: 'main', url: 'file:///app/server.js' },
    trigger: { kind: 'api', by: 'admin' },
    startedAt: '2026-01-31T12:00:00.000Z',
    environment: { pod: 'shop-0' },
    ...changes,
  };
}

export function sampleOutcome(changes: Partial<ProfileOutcome> = {}): ProfileOutcome {
  return {
    endedAt: '2026-01-31T12:00:30.000Z',
    durationMs: 30_000,
    complete: true,
    incompleteReason: null,
    cost: { pauseMs: 3, rssBeforeBytes: null, rssAfterBytes: null, rssPeakBytes: null },
    cpu: null,
    snapshot: null,
    sampling: null,
    clock: null,
    warnings: [],
    ...changes,
  };
}

export const runningOperation: Operation = {
  id: 'op-1',
  kind: 'cpu',
  state: 'running',
  targetId: 'target-1',
  thread: 'main',
  startedBy: 'admin',
  createdAt: '2026-01-31T12:00:00.000Z',
  startedAt: '2026-01-31T12:00:00.000Z',
  endedAt: null,
  expiresAt: null,
  parameters: { durationMs: 30_000 },
  progress: { phase: 'sampling', fraction: 0.5, bytes: 0 },
  queuePosition: null,
  profileIds: [],
  warnings: [],
  error: null,
};

/** Stores one artifact with this content, which ended when it started. */
export async function put(store: ProfileStore, bytes: Uint8Array, draft: Partial<ProfileDraft> = {}): Promise<Profile> {
  const whole = sampleDraft(draft);
  const writer = await store.create(whole, { expectedBytes: bytes.length });
  await writer.write(bytes);
  return writer.finish(sampleOutcome({ endedAt: whole.startedAt, durationMs: 0 }));
}

export async function bytesOf(stream: Readable | undefined): Promise<Buffer> {
  if (stream === undefined) throw new Error('there is no stream');
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function read(store: ProfileStore, id: string, range?: { start: number; end: number }): Promise<Buffer> {
  await using reader = await store.open(id);
  return await bytesOf(reader.plain(range));
}

/** Bytes that compress about as well as a heap snapshot does, the same for the same seed. */
export function pseudoSnapshot(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = seed >>> 0 || 1;
  for (let offset = 0; offset < sizeBytes; offset++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[offset] = (state & 3) === 0 ? 48 + ((state >>> 8) % 10) : 44;
  }
  return bytes;
}

/** Every file below, relative, sorted. */
export function filesBelow(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort();
}
