// The server's side of SPDY/3.1 as far as kubectl's port-forward speaks it: streams that the client opens, data, ends.
// chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1
import { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate } from 'node:zlib';

export interface SpdyStream {
  readonly headers: ReadonlyMap<string, string>;
  readonly data: Duplex;
}

const frameTypes = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7 } as const;
const endFlag = 1;

/** Calls back with each stream, in the order of their frames. */
export function serveSpdy(socket: Duplex, onStream: (stream: SpdyStream) => void): void {
  // One compression for the whole connection in either direction: headers are in the context of those before.
  const inflate = createInflate({ dictionary });
  const deflate = createDeflate({ dictionary });
  const streams = new Map<number, Duplex>();
  const write = (bytes: Buffer): void => void (socket.writable && socket.write(bytes));

  const open = async (payload: Buffer): Promise<void> => {
    const id = payload.readUInt32BE(0) & 0x7fffffff;
    const headers = readHeaders(await through(inflate, payload.subarray(10)));
    const reply = await through(deflate, Buffer.alloc(4));
    const streamId = Buffer.alloc(4);
    streamId.writeUInt32BE(id);
    write(controlFrame(frameTypes.synReply, Buffer.concat([streamId, reply])));
    const data = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _, done) {
        write(dataFrame(id, chunk, 0));
        done();
      },
      final(done) {
        write(dataFrame(id, Buffer.alloc(0), endFlag));
        done();
      },
    });
    data.on('error', () => undefined);
    streams.set(id, data);
    onStream({ headers, data });
  };

  const handle = async (head: Buffer, payload: Buffer): Promise<void> => {
    const first = head.readUInt32BE(0);
    const isEnd = ((head[4] ?? 0) & endFlag) !== 0;
    if (first >>> 31 === 0) {
      const data = streams.get(first);
      if (payload.length > 0) data?.push(payload);
      if (isEnd) data?.push(null);
      return;
    }
    const type = first & 0xffff;
    if (type === frameTypes.synStream) await open(payload);
    else if (type === frameTypes.ping) write(controlFrame(type, payload));
    else if (type === frameTypes.rstStream) streams.get(payload.readUInt32BE(0) & 0x7fffffff)?.destroy();
    else if (type === frameTypes.goAway) socket.end();
  };

  let rest = Buffer.alloc(0);
  let before: Promise<void> = Promise.resolve();
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 8) {
      const length = rest.readUIntBE(5, 3);
      if (rest.length < 8 + length) return;
      const [head, payload] = [rest.subarray(0, 8), rest.subarray(8, 8 + length)];
      rest = rest.subarray(8 + length);
      // In order: a data frame may come while the headers of its stream are still being unpacked.
      before = before.then(() => handle(head, payload)).catch((error: unknown) => void socket.destroy(error as Error));
    }
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    for (const stream of streams.values()) stream.destroy();
    inflate.close();
    deflate.close();
  });
}

function controlFrame(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([head, payload]);
}

function dataFrame(id: number, payload: Buffer, flags: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(id, 0);
  head.writeUInt8(flags, 4);
  head.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([head, payload]);
}

function readHeaders(block: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  let at = 4;
  const text = (): string => {
    const length = block.readUInt32BE(at);
    const value = block.toString('utf8', at + 4, at + 4 + length);
    at += 4 + length;
    return value;
  };
  for (let left = block.readUInt32BE(0); left > 0; left--) headers.set(text(), text());
  return headers;
}

/** What comes out of it for these bytes alone. */
async function through(
  stream: ReturnType<typeof createDeflate> | ReturnType<typeof createInflate>,
  bytes: Buffer,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const collect = (chunk: Buffer): number => chunks.push(chunk);
  stream.on('data', collect);
  await new Promise<void>((resolve) => {
    stream.write(bytes);
    stream.flush(constants.Z_SYNC_FLUSH, resolve);
  });
  // Output of a flush is emitted before its callback, but in a later turn where the buffer was full.
  await new Promise((resolve) => setImmediate(resolve));
  stream.off('data', collect);
  return Buffer.concat(chunks);
}

/** Section 2.6.10.1: words with their length before them, then plain text. */
export const dictionary = Buffer.concat([
  ...[
    'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow',
    'authorization cache-control connection content-base content-encoding content-language content-length',
    'content-location content-md5 content-range content-type date etag expect expires from host if-match',
    'if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma',
    'proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade',
    'user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie',
    'keep-alive origin',
  ]
    .join(' ')
    .split(' ')
    .flatMap((word) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(word.length);
      return [length, Buffer.from(word.replace('_', ' '))];
    }),
  Buffer.from(
    [
      '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505',
      '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized',
      '403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable',
      'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT',
      'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,',
      'text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.',
    ].join(''),
  ),
]);
