import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A browser that has to start first. */
const deadlineMs = 60_000;

/**
 * Opens the user's browser at `link`, whose fragment is secret: other users of this machine see the arguments of every process, so the browser is given an address
 * here that leads to the link once, for the first who asks, and then never again. Resolves with a sentence when no browser could be started, else with undefined.
 */
export async function openBrowser(
  link: string,
  { platform, signal }: { platform: NodeJS.Platform; signal: AbortSignal },
): Promise<string | undefined> {
  const path = `/${randomBytes(16).toString('base64url')}`;
  const server = createServer((request, response) => {
    if (request.url !== path) return void response.writeHead(404).end();
    response.writeHead(302, { location: link, 'cache-control': 'no-store', connection: 'close' }).end();
    server.close();
  });
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  const port = await listen(server);
  const either = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  either.addEventListener('abort', close, { once: true });
  server.once('close', () => either.removeEventListener('abort', close));
  const problem = await launch(`http://127.0.0.1:${port}${path}`, platform);
  if (problem !== undefined) close();
  return problem;
}

const launchers: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

function launch(address: string, platform: NodeJS.Platform): Promise<string | undefined> {
  const [command = 'xdg-open', ...args] = launchers[platform] ?? [];
  return new Promise((resolve) => {
    const child = spawn(command, [...args, address], { stdio: 'ignore', detached: true });
    child.once('error', () => resolve(`no browser could be started (${command} is not there)`));
    child.once('exit', (code) =>
      resolve(code === 0 ? undefined : `no browser could be started (${command} ended with ${code})`),
    );
    child.once('spawn', () => {
      child.unref();
      // Some launchers are the browser itself, and stay.
      setTimeout(() => resolve(undefined), 3_000).unref();
    });
  });
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
