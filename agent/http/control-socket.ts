import { randomUUID } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SidescopeError } from '../../protocol/error.ts';
import { controlSocketName } from '../../protocol/rest/control.ts';
import type { ControlAgent, MintedToken } from '../../protocol/rest/control.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Audit } from '../telemetry/audit.ts';
import type { Log } from '../telemetry/log.ts';
import type { Tokens } from './tokens.ts';

export interface ControlServices {
  readonly tokens: Pick<Tokens, 'mint'>;
  readonly audit: Audit;
  readonly log: Pick<Log, 'error'>;
  describe(): ControlAgent;
}

export interface ControlSocket extends AsyncDisposable {
  /** Absolute; undefined when no place could be had. */
  readonly path: string | undefined;
  readonly feature: Feature;
}

/** What `sidescope token` gives out: long enough for one look at one incident. */
const mintedTtlMs = 3_600_000;
/** A path of a Unix socket has 108 bytes on Linux, 104 on macOS, with its closing zero; a longer one is cut silently. */
const maxPathBytes = 103;
/** A person at a shell, some scripts, and one that hangs. */
const maxConnections = 16;

/**
 * Gives tokens to programs of the agent's own user, and of root, without a network: the socket has mode 0600 in a directory of mode 0700. It lies in `directory`,
 * which must be this agent's alone (a stale socket in it is replaced), or, when that is undefined or takes none, in a new one under `temporaryRoot` that goes with
 * the agent. Never rejects for want of a place: the feature is `failed` then.
 */
export async function openControlSocket(
  services: ControlServices,
  places: { directory: string | undefined; temporaryRoot?: string },
): Promise<ControlSocket> {
  try {
    const socket = await listenInEither(services, places);
    const feature: Feature = { name: 'control-socket', state: 'on', reason: socket.path, remedy: null };
    return { ...socket, feature };
  } catch (error) {
    if (!(error instanceof SidescopeError)) throw error;
    services.log.error({ code: error.code }, error.message);
    const remedy =
      'Give it a writable `--data-dir` or temporary directory; until then `sidescope token` does not work.';
    const feature: Feature = { name: 'control-socket', state: 'failed', reason: error.message, remedy };
    return { path: undefined, feature, async [Symbol.asyncDispose]() {} };
  }
}

interface Place extends AsyncDisposable {
  readonly path: string;
}

async function listenInEither(
  services: ControlServices,
  { directory, temporaryRoot = tmpdir() }: { directory: string | undefined; temporaryRoot?: string },
): Promise<Place> {
  if (directory !== undefined) {
    try {
      return await listenIn(directory, services);
    } catch (error) {
      // A path that is too long, or a file system without sockets: the temporary one may do, and its failure is told.
      if (!(error instanceof SidescopeError)) throw error;
    }
  }
  await using stack = new AsyncDisposableStack();
  const temporary = await temporaryDirectory(temporaryRoot);
  stack.defer(() => rm(temporary, { recursive: true, force: true }));
  const { path } = stack.use(await listenIn(temporary, services));
  const owned = stack.move();
  return { path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const temporaryPrefix = 'sidescope-control-';

async function temporaryDirectory(root: string): Promise<string> {
  try {
    await removeAbandoned(root);
    return await mkdtemp(join(root, temporaryPrefix));
  } catch (error) {
    throw unusable(root, error);
  }
}

/** An agent that was killed could not remove its own. */
async function removeAbandoned(root: string): Promise<void> {
  // What cannot be read, or is gone meanwhile, is not ours to remove.
  for (const name of await readdir(root).catch(() => [])) {
    if (!name.startsWith(temporaryPrefix)) continue;
    const directory = join(root, name);
    const found = await lstat(directory).catch(() => undefined);
    if (found?.uid === process.geteuid?.() && (await isRefused(join(directory, controlSocketName))))
      await rm(directory, { recursive: true, force: true });
  }
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(false);
    });
    // Only a refusal says that nobody listens; without a socket yet, its agent may be starting.
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

async function listenIn(directory: string, services: ControlServices): Promise<Place> {
  const path = join(directory, controlSocketName);
  const length = Buffer.byteLength(path);
  if (length > maxPathBytes) throw unusable(path, new Error(`${length} bytes; a socket's path has ${maxPathBytes}`));
  const server = createServer(
    { maxHeaderSize: 4096, headersTimeout: 5_000, requestTimeout: 5_000 },
    (request, response) => answer({ request, response, services }),
  );
  server.maxConnections = maxConnections;
  try {
    await makePrivate(dirname(path));
    await rm(path, { force: true });
    await listen(server, path);
    await chmod(path, 0o600);
  } catch (error) {
    server.close();
    throw unusable(path, error);
  }
  let closing: Promise<void> | undefined;
  return { path, [Symbol.asyncDispose]: () => (closing ??= close(server)) };
}

/** The socket is made with the mode that the umask leaves: nobody else may reach it before it has its own. */
async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(directory);
  if (!found.isDirectory() || found.uid !== process.geteuid?.()) throw new Error(`${directory} is not ours`);
  await chmod(directory, 0o700);
}

function answer({
  request,
  response,
  services,
}: {
  request: IncomingMessage;
  response: ServerResponse;
  services: ControlServices;
}): void {
  const route = `${request.method ?? ''} ${request.url ?? ''}`;
  if (route === 'GET /agent') return send(response, 200, services.describe());
  if (route !== 'POST /token') return send(response, 404, { detail: 'there are GET /agent and POST /token' });
  const credential = 'local-socket' as const;
  const asked = { subject: 'local socket', scopes: ['admin'], credential, action: 'mint-token' };
  const record = { requestId: randomUUID(), ...asked };
  const parameters = { ttlMs: mintedTtlMs };
  try {
    const minted = services.tokens.mint({ name: 'sidescope-token', scopes: ['admin'], ttlMs: mintedTtlMs });
    services.audit.write({ ...record, parameters, result: 'ok', status: 200, durationMs: 0 });
    send(response, 200, { ...minted, agent: services.describe() } satisfies MintedToken);
  } catch (error) {
    if (!(error instanceof SidescopeError)) throw error;
    services.audit.write({ ...record, parameters, result: error.code, status: 429, durationMs: 0 });
    send(response, 429, { detail: error.message });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body));
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      // Out of descriptors, later: who waits at the socket is told by its own deadline.
      server.on('error', () => undefined);
      resolve();
    });
  });
}

/** Removes the socket's file too. */
function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  return closed;
}

function unusable(path: string, cause: unknown): SidescopeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SidescopeError('no-agent', `no local socket at ${path}: ${reason}`, { cause });
}
