import { createHash } from 'node:crypto';
import type { StateFile } from './state-storage.ts';

export interface VersionKey {
  readonly service: string;
  readonly version: string | null;
}

export function recordName(folder: string, id: string): string {
  return `${folder}baseline.${id}.json`;
}

export function profileName(folder: string, { id, samples }: { id: string; samples: number }): string {
  return `${folder}profile.${id}.${Math.round(samples)}.gz`;
}

export function isRecord({ name }: StateFile): boolean {
  return /\/baseline\.[0-9a-z]+\.json$/.test(name);
}

export function isProfile({ name }: StateFile): boolean {
  return /\/profile\.[0-9a-z]+\.\d+\.gz$/.test(name);
}

export function samplesOf(name: string): number {
  return Number(/\.(\d+)\.gz$/.exec(name)?.[1] ?? 0);
}

export function largestFirst(a: StateFile, b: StateFile): number {
  return samplesOf(b.name) - samplesOf(a.name) || (a.name < b.name ? -1 : 1);
}

export function folderOf({ service, version }: VersionKey): string {
  return `${folderName(service)}/${folderName(version ?? '')}/`;
}

/** Readable, and different for different names. */
export function folderName(name: string): string {
  const readable = name
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 60);
  return `${readable}-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`;
}
