import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface S3Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** How a request is met: taken, not answered after its body, its connection cut once this many bytes have come, or refused before its body is read. */
export type Fault =
  | 'hang'
  | { readonly cutAfterBytes: number }
  | { readonly status: number; readonly headers?: Record<string, string>; readonly code?: string };

export interface S3Double extends AsyncDisposable {
  readonly endpoint: string;
  readonly requests: readonly S3Request[];
  /** By path. */
  readonly objects: ReadonlyMap<string, { readonly body: Buffer; readonly headers: IncomingHttpHeaders }>;
  /** Uploads in parts that were neither completed nor removed. */
  readonly openUploads: ReadonlySet<string>;
  /** Asked for each request, until it says otherwise. */
  fault: (request: S3Request) => Fault | undefined;
}

/** For faults that no real server produces on demand. It checks no signature: Swift and AWS's own examples do that. */
export async function openS3Double(): Promise<S3Double> {
  const requests: S3Request[] = [];
  const objects = new Map<string, { body: Buffer; headers: IncomingHttpHeaders }>();
  const openUploads = new Map<string, Buffer[]>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://double');
    const seen = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
    };
    requests.push(seen);
    const fault = double.fault(seen);
    if (typeof fault === 'object' && 'status' in fault) {
      response.writeHead(fault.status, { connection: 'close', ...fault.headers });
      const { code = fault.status === 503 ? 'SlowDown' : 'AccessDenied' } = fault;
      response.end(`<Error><Code>${code}</Code></Error>`);
      return;
    }
    if (typeof fault === 'object') {
      let bytes = 0;
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes >= fault.cutAfterBytes) request.socket.destroy();
      });
      return;
    }
    void buffer(request).then(
      (body) => {
        if (fault !== 'hang') answer(seen, body);
      },
      // The sender gave up, or was killed.
      () => undefined,
    );
    const answer = ({ method, path, query, headers }: S3Request, body: Buffer): void => {
      const uploadId = query.get('uploadId') ?? '';
      if (method === 'POST' && query.has('uploads')) {
        const id = `upload-${requests.length}`;
        openUploads.set(id, []);
        response.end(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
      } else if (method === 'PUT' && uploadId !== '') {
        const number = Number(query.get('partNumber'));
        const parts = openUploads.get(uploadId);
        if (parts !== undefined) parts[number - 1] = body;
        response.writeHead(parts === undefined ? 404 : 200, { etag: `"part-${number}"` }).end();
      } else if (method === 'POST') {
        objects.set(path, { body: Buffer.concat(openUploads.get(uploadId) ?? []), headers });
        openUploads.delete(uploadId);
        response.end('<CompleteMultipartUploadResult/>');
      } else if (method === 'DELETE') {
        openUploads.delete(uploadId);
        response.writeHead(204).end();
      } else {
        objects.set(path, { body, headers });
        response.writeHead(200, { etag: '"1"' }).end();
      }
    };
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const double: S3Double = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    objects,
    get openUploads() {
      return new Set(openUploads.keys());
    },
    fault: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return double;
}
