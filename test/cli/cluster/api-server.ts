// As much of a Kubernetes API server as a real kubectl needs for `get`, `exec` and `port-forward`.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { kubectlPath } from '../../../.tools/prepare/kubernetes.ts';
import { serveSpdy } from './spdy.ts';
import type { SpdyStream } from './spdy.ts';

export interface KubeObject {
  readonly kind: 'Pod' | 'ReplicaSet' | 'Deployment';
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

/** What runs in a pod, as far as its API shows it. */
export interface PodBehaviour {
  /** Answers `kubectl exec`. */
  readonly exec: (command: readonly string[]) => Promise<{ stdout: string; stderr?: string; code: number }>;
  /** Where a port of the pod is on this machine; undefined refuses the connection. */
  readonly port: (port: number) => number | undefined;
}

export interface Cluster extends AsyncDisposable {
  /** A kubectl whose configuration leads here. */
  readonly kubectl: string;
  readonly objects: KubeObject[];
  readonly behaviours: Map<string, PodBehaviour>;
  /** What the API server says to a verb (`get pods`, `exec`, `portforward`) instead: `Forbidden: …`. */
  readonly refusals: Map<string, { status: number; reason: string; message: string }>;
  /** `GET /api/v1/…`, in order. */
  readonly requests: readonly string[];
  /** `performance.now()` of each of them. */
  readonly requestedAtMs: readonly number[];
  /** The pod is deleted: it is not there any more, and its connections end. */
  remove(pod: string): void;
}

const resources = [
  { group: 'v1', name: 'pods', kind: 'Pod', shortNames: ['po'] },
  { group: 'apps/v1', name: 'replicasets', kind: 'ReplicaSet', shortNames: ['rs'] },
  { group: 'apps/v1', name: 'deployments', kind: 'Deployment', shortNames: ['deploy'] },
] as const;

export async function startCluster(): Promise<Cluster> {
  const objects: KubeObject[] = [];
  const behaviours = new Map<string, PodBehaviour>();
  const refusals: Cluster['refusals'] = new Map();
  const requests: string[] = [];
  const requestedAtMs: number[] = [];
  const note = ({ method = '', url = '' }: IncomingMessage): void => {
    requests.push(`${method} ${url}`);
    requestedAtMs.push(performance.now());
  };
  const open = new Map<string, Set<Duplex>>();
  const server = createServer((request, response) => {
    note(request);
    answer(request, response, { objects, refusals });
  });
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => chosenProtocol(offered) });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    note(request);
    socket.on('error', () => undefined);
    const url = new URL(request.url ?? '', 'http://cluster');
    const [, pod = '', verb = ''] = /\/pods\/([^/]+)\/(exec|portforward)$/.exec(url.pathname) ?? [];
    const behaviour = behaviours.get(pod);
    const refusal = refusals.get(verb) ?? refusals.get(`${verb} ${pod}`);
    if (behaviour === undefined || refusal !== undefined) {
      socket.end(rawStatus(refusal ?? notFound('pods', pod)));
      return;
    }
    const keep = (stream: Duplex): void => {
      stream.on('error', () => undefined);
      open.set(pod, (open.get(pod) ?? new Set()).add(stream));
      stream.on('close', () => open.get(pod)?.delete(stream));
    };
    if (verb === 'portforward' && request.headers.upgrade === 'SPDY/3.1') {
      socket.write(spdyAccepted);
      keep(socket);
      serveSpdy(socket, portForward(behaviour));
      return;
    }
    // SPDY inside a WebSocket, which kubectl tries first: ws takes no protocol whose name has a slash. It goes on without.
    if (verb === 'portforward') {
      socket.end(rawStatus({ status: 400, reason: 'BadRequest', message: 'no such protocol' }));
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const stream = createWebSocketStream(webSocket);
      keep(stream);
      void runExec(webSocket, { behaviour, command: url.searchParams.getAll('command') });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'sidescope-cluster-'));
  return {
    kubectl: writeKubectl(folder, (server.address() as AddressInfo).port),
    objects,
    behaviours,
    refusals,
    requests,
    requestedAtMs,
    remove(pod) {
      objects.splice(
        objects.findIndex(({ kind, metadata }) => kind === 'Pod' && metadata.name === pod),
        1,
      );
      behaviours.delete(pod);
      for (const stream of open.get(pod) ?? []) stream.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const streams of open.values()) for (const stream of streams) stream.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Configuration and caches of its own; nothing of the user's is read. */
function writeKubectl(folder: string, port: number): string {
  const real = kubectlPath();
  if (real === undefined) throw new Error('no kubectl: run node .tools/prepare-tests.ts');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'jane', user: { token: 'jane' } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'jane', namespace: 'shop' } }],
  };
  writeFileSync(join(folder, 'config'), JSON.stringify(config));
  const path = join(folder, 'kubectl');
  const environment = `HOME='${folder}' KUBECONFIG='${folder}/config' KUBECACHEDIR='${folder}/cache'`;
  writeFileSync(path, `#!/bin/sh\nexec env ${environment} '${real}' "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

function chosenProtocol(offered: Set<string>): string | false {
  return ['v5.channel.k8s.io', 'v4.channel.k8s.io'].find((known) => offered.has(known)) ?? false;
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { objects, refusals }: Pick<Cluster, 'objects' | 'refusals'>,
): void {
  const url = new URL(request.url ?? '', 'http://cluster');
  const send = (body: object, status = 200): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (url.pathname === '/version') return send({ major: '1', minor: '36', gitVersion: 'v1.36.0' });
  if (url.pathname === '/api') return send({ kind: 'APIVersions', versions: ['v1'] });
  if (url.pathname === '/apis') return send(groupList);
  if (url.pathname === '/api/v1' || url.pathname === '/apis/apps/v1') return send(resourceList(url.pathname));
  const [, resource = '', name] = /\/namespaces\/[^/]+\/(\w+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  const known = resources.find((each) => each.name === resource);
  const refusal = refusals.get(`get ${resource}`);
  if (known === undefined) return send(statusOf(notFound(resource, name ?? '')), 404);
  if (refusal !== undefined) return send(statusOf(refusal), refusal.status);
  const all = objects.filter(({ kind }) => kind === known.kind);
  const apiVersion = known.group;
  if (name !== undefined) {
    const found = all.find(({ metadata }) => metadata.name === name);
    return found === undefined ? send(statusOf(notFound(resource, name)), 404) : send({ apiVersion, ...found });
  }
  const selector = url.searchParams.get('labelSelector') ?? '';
  const items = all.filter(({ metadata }) => matches(metadata.labels ?? {}, selector));
  send({ apiVersion, kind: `${known.kind}List`, metadata: {}, items: items.map((item) => ({ apiVersion, ...item })) });
}

const groupVersion = { groupVersion: 'apps/v1', version: 'v1' };
const groupList = {
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: [{ name: 'apps', versions: [groupVersion], preferredVersion: groupVersion }],
};

function resourceList(path: string): object {
  const group = path === '/api/v1' ? 'v1' : 'apps/v1';
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group,
    resources: resources
      .filter((each) => each.group === group)
      .map(({ name, kind, shortNames }) => ({
        name,
        kind,
        shortNames,
        singularName: kind.toLowerCase(),
        namespaced: true,
        verbs: ['get', 'list'],
      })),
  };
}

/** Equality and set terms without a comma inside, as the tests ask. */
function matches(labels: Readonly<Record<string, string>>, selector: string): boolean {
  return selector
    .split(/,(?![^(]*\))/)
    .filter((term) => term !== '')
    .every((term) => {
      const [, key = '', operator = '', values = ''] =
        /^([^\s!=]+)\s*(=|==|!=|in|notin)\s*\(?([^)]*)\)?$/.exec(term) ?? [];
      if (operator === '') throw new Error(`this double does not know the selector ${term}`);
      const isAmong = values.split(',').includes(labels[key] ?? '');
      return operator.startsWith('!') || operator === 'notin' ? !isAmong : isAmong;
    });
}

function notFound(resource: string, name: string): { status: number; reason: string; message: string } {
  return { status: 404, reason: 'NotFound', message: `${resource} "${name}" not found` };
}

function statusOf({ status, reason, message }: { status: number; reason: string; message: string }): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code: status };
}

function rawStatus(refusal: { status: number; reason: string; message: string }): string {
  const body = JSON.stringify(statusOf(refusal));
  return [
    `HTTP/1.1 ${refusal.status} ${refusal.reason}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

const spdyAccepted = [
  'HTTP/1.1 101 Switching Protocols',
  'Connection: Upgrade',
  'Upgrade: SPDY/3.1',
  'X-Stream-Protocol-Version: portforward.k8s.io',
  '',
  '',
].join('\r\n');

/** Each connection is a pair of streams of one request id: errors, and data. */
function portForward(behaviour: PodBehaviour): (stream: SpdyStream) => void {
  const errors = new Map<string, Duplex>();
  return ({ headers, data }) => {
    const id = headers.get('requestid') ?? '';
    if (headers.get('streamtype') === 'error') {
      errors.set(id, data);
      return;
    }
    const error = errors.get(id);
    errors.delete(id);
    const remote = Number(headers.get('port'));
    const port = behaviour.port(remote);
    const upstream = connect(port ?? 1, '127.0.0.1');
    upstream.on('connect', () => error?.end());
    upstream.on('error', () => {
      error?.end(`error forwarding port ${remote} to pod: connection refused`);
      data.end();
    });
    data.on('close', () => upstream.destroy());
    data.pipe(upstream).pipe(data);
  };
}

async function runExec(
  webSocket: { send(data: Buffer): void; close(code: number): void },
  { behaviour, command }: { behaviour: PodBehaviour; command: readonly string[] },
): Promise<void> {
  const channel = (number: number, text: string): void => {
    if (text !== '') webSocket.send(Buffer.concat([Buffer.from([number]), Buffer.from(text)]));
  };
  const { stdout, stderr = '', code } = await behaviour.exec(command);
  channel(1, stdout);
  channel(2, stderr);
  const failure = {
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
  channel(3, JSON.stringify({ metadata: {}, ...(code === 0 ? { status: 'Success' } : failure) }));
  webSocket.close(1000);
}
