import net from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface CurlAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/**
 * One request in the very shape in which curl sends it: no body and no content type unless there is a body, and no header
 * that Node's own clients would add. Only `Connection: close` is more, because the end of the answer is the end of the socket.
 */
export async function curl(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<CurlAnswer> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const { method = 'GET', headers = {}, body } = options;
  const lines = [
    `${method} ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    'User-Agent: curl/8.14.1',
    'Accept: */*',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    'Connection: close',
  ];
  const socket = net.connect({ host: hostname, port: Number(port) });
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
  return parseAnswer(await buffer(socket));
}

function parseAnswer(bytes: Buffer): CurlAnswer {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) throw new Error(`no HTTP answer in ${bytes.length} bytes`);
  const [statusLine = '', ...fields] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = new Map(
    fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.replace(/^[^:]*: */, '')]),
  );
  const body = bytes.subarray(end + 4);
  if (headers.has('transfer-encoding')) throw new Error('the answer is chunked: it should have had a length');
  return { status: Number(statusLine.split(' ')[1]), headers, body };
}
