import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { swiftVariables } from '../../.tools/prepare/swift.ts';
import { S3Client } from '../../agent/egress/s3/client.ts';
import { parseS3Url, type S3Location } from '../../agent/egress/s3/location.ts';

export const accessKey = 'test:tester';
export const secretKey = 'testing';

export interface Swift extends AsyncDisposable {
  readonly endpoint: string;
  readonly location: S3Location;
  /** Of the bucket `profiles`, which is there. */
  readonly client: S3Client;
}

/** OpenStack Swift, whose S3 API checks signatures, in a process of its own; takes about two seconds of CPU to start. */
export async function startSwift(): Promise<Swift> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-swift-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const program = join(import.meta.dirname, 'swift_server.py');
  const child = spawn('/usr/bin/python3', [program, directory], { env: { PATH: '/usr/bin', ...swiftVariables } });
  let errors = '';
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
  const ended = once(child, 'close');
  stack.defer(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = await Promise.race([lines.next(), ended.then(() => undefined)]);
  if (line === undefined || line.done === true) throw new Error(`Swift did not start: ${errors}`);
  const endpoint = `http://127.0.0.1:${line.value}`;
  const location = parseS3Url(`s3://profiles?endpoint=${endpoint}`);
  if (typeof location === 'string') throw new Error(location);
  const credentials = { get: async () => ({ accessKeyId: accessKey, secretAccessKey: secretKey }) };
  const client = stack.use(new S3Client({ location, credentials, userAgent: 'test' }));
  await client.put('', new Uint8Array(), { signal: AbortSignal.timeout(20_000) });
  const resources = stack.move();
  return { endpoint, location, client, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
