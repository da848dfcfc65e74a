import { open as openFile, readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { isLoopbackAddress } from '../loopback.ts';
import { link } from './process.ts';

export interface ListeningSocket {
  readonly host: string;
  readonly port: number;
  readonly inode: string;
}

const established = '01';
const listen = '0A';
const families = ['tcp', 'tcp6'];
const chunkBytes = 64 * 1024;
/** 100,000 connections are 15 MB. */
const maxBytes = 64 * 2 ** 20;

/** The listening TCP sockets of the process's network namespace, whosoever they are. Empty when the process is gone. */
export async function readListeningSockets(pid: number | 'self'): Promise<ListeningSocket[]> {
  const sockets: ListeningSocket[] = [];
  for (const family of families) {
    for await (const row of readRows(`/proc/${pid}/net/${family}`)) {
      // The kernel lists these first; a busy server has thousands of others behind them.
      if (row[3] !== listen) break;
      sockets.push({ ...parseAddress(row[1] ?? ''), inode: row[9] ?? '' });
    }
  }
  return sockets;
}

/** Whether what answers at this port of a loopback address listens on every address, or on another one. False where nothing is seen. */
export async function listensBeyondLoopback(port: number): Promise<boolean> {
  const listeners = (await readListeningSockets('self')).filter((socket) => socket.port === port);
  // Another program may have the same port on another address: what has it on loopback is who answers.
  return listeners.length > 0 && !listeners.some(({ host }) => isLoopbackAddress(host));
}

/** How many clients a listener at the port has, by its own end of the connections. Infinity when there are more rows than we read. */
export async function countClients(pid: number, port: number): Promise<number> {
  let count = 0;
  try {
    for (const family of families) {
      for await (const row of readRows(`/proc/${pid}/net/${family}`)) {
        if (row[3] === established && parseAddress(row[1] ?? '').port === port) count++;
      }
    }
  } catch (error) {
    if (error instanceof RangeError) return Infinity;
    throw error;
  }
  return count;
}

async function* readRows(path: string): AsyncGenerator<string[]> {
  let file: FileHandle;
  try {
    file = await openFile(path);
  } catch {
    // The process is gone, or the kernel knows no such family.
    return;
  }
  await using _file = file;
  const buffer = Buffer.alloc(chunkBytes);
  let rest = '';
  let seenBytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes);
    if (bytesRead === 0) break;
    seenBytes += bytesRead;
    if (seenBytes > maxBytes) throw new RangeError(`${path} has more than ${maxBytes} bytes`);
    const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const row = line.trim().split(/\s+/);
      if (row[0] !== 'sl') yield row;
    }
  }
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
  // With the user alone their numbers can be read, and only with the group also what they are.
  if (links.every((target) => target === undefined)) return undefined;
  return new Set(links.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target ?? '')?.[1] ?? []));
}

/** More than a server under load has; beyond it an inspector may be missed. */
const maxDescriptors = 20_000;

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
