import { execFileSync } from 'node:child_process';
import { mkdtempDisposable, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSecret } from '../../agent/alerts/signed-post.ts';
import { requestPage } from '../../agent/baseline/metrics-page.ts';
import { secretOf } from '../../agent/egress/s3/credentials.ts';
import { openDestination } from '../../agent/egress/open-destination.ts';
import { readKeySet, versionOfPlace } from '../../agent/http/jwks-source.ts';
import { Turns } from '../../agent/turns.ts';
import { Tokens } from '../../agent/http/tokens.ts';
import { fileVersion, readRegularFile } from '../../agent/regular-file.ts';
import { createLog } from '../../agent/telemetry/log.ts';

const maxBytes = 1024;

it('reads a file of up to its limit, and tells why anything else is not one', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'sidescope-files-'));
  const at = (name: string): string => join(directory.path, name);
  await writeFile(at('full'), 'x'.repeat(maxBytes));
  expect(await readRegularFile(at('full'), { maxBytes })).toHaveLength(maxBytes);
  expect(await readRegularFile('/proc/self/status', { maxBytes }).catch(String)).toContain('it grew while it was read');

  await writeFile(at('huge'), '');
  await truncate(at('huge'), 2 ** 30);
  execFileSync('mkfifo', [at('pipe')]);
  using server = await listening(at('socket'));
  expect(server.listening).toBe(true);
  const refusals = {
    huge: 'has 1073741824 bytes; the limit is 1024',
    pipe: 'is a pipe; it is read more than once and must be a file',
    socket: 'cannot be read (ENXIO)',
    none: 'cannot be read (ENOENT)',
    '.': 'is a directory; it is read more than once and must be a file',
  };
  for (const [name, why] of Object.entries(refusals)) {
    const failure: unknown = await readRegularFile(at(name), { maxBytes }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'unusable-file', message: `${at(name)} ${why}` });
  }
  expect(await readRegularFile('/dev/zero', { maxBytes }).catch(String)).toContain('is a device');
  expect(await fileVersion(at('pipe'))).toBeUndefined();
});

// A second reader of a pipe would wait for ever, and everything that waits for it.
it('a pipe where a secret should be is refused by everybody who reads one, and nobody waits', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'sidescope-files-'));
  const path = join(directory.path, 'pipe');
  execFileSync('mkfifo', [path]);
  const why = `${path} is a pipe; it is read more than once and must be a file`;
  const { signal } = new AbortController();
  await expect(readSecret(path)).rejects.toThrow(`the webhook's secret ${why}`);
  await expect(secretOf(path)).rejects.toThrow(why);
  const credentials = { caFile: undefined, tokenFile: undefined };
  const reading = { credentials, timeoutMs: 1_000, signal };
  await expect(readKeySet({ path }, reading)).rejects.toMatchObject({ code: 'jwt-keys-unavailable', message: why });
  expect(await versionOfPlace({ path })).toBeUndefined();
  const url = new URL('http://127.0.0.1:1/');
  const request = { headers: {}, withCredentials: true, timeoutMs: 1_000, timeout: signal, signal };
  await expect(requestPage({ url, tokenFile: path, caFile: undefined }, request)).rejects.toMatchObject({
    code: 'metrics-unreachable',
    message: `the token for the metrics page: ${why}`,
  });
  const config = { name: 'p', kind: 'pyroscope', url, 'ca-file': path } as const;
  const volumes = new Turns({ concurrency: 1, waitingMax: 0 });
  const surroundings = { environment: {}, variable: () => undefined, volumes };
  await expect(openDestination(config, surroundings)).rejects.toMatchObject({ code: 'invalid-option', message: why });
  const tokens = await Tokens.open({ file: path, log: createLog({ level: 'silent', isPretty: false }) });
  expect(tokens.feature()).toMatchObject({ state: 'failed', reason: expect.stringContaining(why) as string });
});

async function listening(path: string): Promise<net.Server & Disposable> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return Object.assign(server, { [Symbol.dispose]: () => void server.close() });
}
