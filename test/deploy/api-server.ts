import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import protobuf from 'protobufjs';
import { sign } from '../support/issuer.ts';
import type { SigningKey } from '../support/issuer.ts';

export const clusterIssuer = 'https://kubernetes.default.svc.cluster.local';

export interface ApiServer extends AsyncDisposable {
  readonly url: string;
  /** `POST /api/v1/namespaces`, in order. */
  readonly asked: readonly string[];
}

/**
 * What kubectl and the agent ask Kubernetes' API server about service accounts: it takes what is created, signs tokens with `key` for the
 * audiences that are asked for, and gives the keys to who brings `readerToken`.
 */
export async function openApiServer(key: SigningKey, readerToken: string): Promise<ApiServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const path = request.url?.split('?')[0] ?? '';
      asked.push(`${request.method} ${path}`);
      const [status, body] = await answer({ request, path, key, readerToken });
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Asked {
  readonly request: IncomingMessage;
  readonly path: string;
  readonly key: SigningKey;
  readonly readerToken: string;
}

async function answer({ request, path, key, readerToken }: Asked): Promise<[number, object]> {
  const bytes = await buffer(request);
  if (path === '/openid/v1/jwks') {
    if (request.headers.authorization !== `Bearer ${readerToken}`) return [403, failure(403)];
    return [200, { keys: [key.jwk] }];
  }
  const account = /^\/api\/v1\/namespaces\/([^/]+)\/serviceaccounts\/([^/]+)\/token$/.exec(path);
  if (request.method === 'POST' && account !== null) {
    const [, namespace = '', name = ''] = account;
    const audiences = audiencesOf(bytes);
    const claims = {
      ...{ iss: clusterIssuer, aud: audiences, sub: `system:serviceaccount:${namespace}:${name}`, roles: undefined },
      'kubernetes.io': { namespace, serviceaccount: { name, uid: '5f9d35f0-1b5c-4c83-9d2e-0d1e0f4e3a11' } },
    };
    const status = { token: await sign(key, { claims }), expirationTimestamp: '2036-01-01T00:00:00Z' };
    return [
      201,
      { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', metadata: {}, spec: { audiences }, status },
    ];
  }
  const kind = path.endsWith('/serviceaccounts') ? 'ServiceAccount' : 'Namespace';
  if (request.method === 'POST') return [201, { kind, apiVersion: 'v1', metadata: { name: 'created' } }];
  return [404, failure(404)];
}

function failure(code: number): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code };
}

/** kubectl sends protobuf: `k8s\0`, an envelope whose field 2 is a TokenRequest, whose field 2 is its spec, whose field 1 are the audiences. */
function audiencesOf(bytes: Uint8Array): string[] {
  const [request = new Uint8Array()] = fieldsOf(bytes.subarray(4), 2);
  const [spec = new Uint8Array()] = fieldsOf(request, 2);
  return fieldsOf(spec, 1).map((text) => Buffer.from(text).toString('utf8'));
}

function fieldsOf(message: Uint8Array, wanted: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === ((wanted << 3) | 2)) found.push(reader.bytes());
    else reader.skipType(tag & 7);
  }
  return found;
}
