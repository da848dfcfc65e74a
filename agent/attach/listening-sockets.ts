import { readdir } from 'node:fs/promises';
import { link, readText } from './process.ts';

export interface ListeningSocket {
  readonly host: string;
  readonly port: number;
  readonly inode: string;
}

export interface TcpTable {
  readonly listening: readonly ListeningSocket[];
  /** Local ports of established connections: one entry per connection, the end of the listener and not that of the client. */
  readonly establishedPorts: readonly number[];
}

const established = '01';
const listen = '0A';

/** The TCP sockets of the process's network namespace, whosoever they are. Empty when the process is gone. */
export async function readTcpTable(pid: number | 'self'): Promise<TcpTable> {
  const texts = await Promise.all(['tcp', 'tcp6'].map((name) => readText(`/proc/${pid}/net/${name}`)));
  const rows = texts.flatMap((text) => (text ?? '').split('\n').slice(1)).map((line) => line.trim().split(/\s+/));
  const inState = (state: string): string[][] => rows.filter((row) => row[3] === state);
  return {
    listening: inState(listen).map((row) => ({ ...parseAddress(row[1] ?? ''), inode: row[9] ?? '' })),
    establishedPorts: inState(established).map((row) => parseAddress(row[1] ?? '').port),
  };
}

/** Inodes of the process's sockets; undefined when its descriptors are not ours to see. */
export async function socketInodes(pid: number): Promise<ReadonlySet<string> | undefined> {
  const path = `/proc/${pid}/fd`;
  let names: string[];
  try {
    names = await readdir(path);
  } catch {
    // Another user's or another group's: the callers have other ways to tell.
    return undefined;
  }
  const links = await Promise.all(names.slice(0, maxDescriptors).map((name) => link(`${path}/${name}`)));
  return new Set(links.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target ?? '')?.[1] ?? []));
}

/** More than a server under load has; beyond it an inspector may be missed. */
const maxDescriptors = 20_000;

export function isLoopbackHost(host: string): boolean {
  return host.startsWith('127.') || host === '::1' || host.startsWith('::ffff:127.');
}

/** `0100007F:240D`: 32-bit words in the byte order of the machine, which is little-endian wherever Node is released for Linux but s390x. */
function parseAddress(text: string): { host: string; port: number } {
  const [address = '', port = ''] = text.split(':');
  const bytes = (address.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)),
  );
  return { host: bytes.length === 4 ? bytes.join('.') : ipv6Text(bytes), port: Number.parseInt(port, 16) };
}

function ipv6Text(bytes: readonly number[]): string {
  const head = bytes.slice(0, 12);
  if (head.every((byte) => byte === 0)) {
    const tail = bytes.slice(12).join('.');
    if (tail === '0.0.0.0') return '::';
    if (tail === '0.0.0.1') return '::1';
  }
  if (head.slice(0, 10).every((byte) => byte === 0) && head[10] === 255 && head[11] === 255)
    return `::ffff:${bytes.slice(12).join('.')}`;
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[2 * at]! << 8) | bytes[2 * at + 1]!).toString(16));
  return groups.join(':');
}
