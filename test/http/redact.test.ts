import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { Redactions } from '../../agent/capture/redactions.ts';
import { openAdminServer } from '../../agent/http/admin-server.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { ticketSchema } from '../../protocol/rest/ticket.ts';
import { takeSnapshots } from '../heap-snapshot/take.ts';
import { openStore, pseudoSnapshot, put, scratchDirectory } from '../store/sample.ts';
import { waitFor } from '../support/wait-for.ts';
import { fakeServices } from './fakes.ts';

const word = 'CANARYcanary';
const [secrets = Buffer.alloc(0)] = await takeSnapshots('secrets', { args: [word] });

async function serve(options: { containerBytes?: number } = {}) {
  await using opening = new AsyncDisposableStack();
  const scratch = opening.use(scratchDirectory());
  const store = opening.use(await openStore(scratch.path));
  const snapshot = await put(store, secrets, { kind: 'heap-snapshot' });
  const nonsense = await put(store, pseudoSnapshot(300_000, 8), { kind: 'heap-snapshot' });
  const cpu = await put(store, pseudoSnapshot(1_000, 7));
  const redactions = opening.use(new Redactions(options));
  const services = await fakeServices({ store, redactions });
  const server = opening.use(await openAdminServer(services, { host: '127.0.0.1', port: 0 }));
  const resources = opening.move();
  const authorization = `Bearer ${services.adminToken}`;
  return {
    snapshot,
    nonsense,
    cpu,
    store,
    services,
    origin: server.url,
    ask: (id: string, { query = '?redact=true', ...headers }: Record<string, string> = {}, method = 'GET') =>
      fetch(`${server.url}${apiPath}/profiles/${id}/download${query}`, {
        method,
        headers: { authorization, 'accept-encoding': 'identity', ...headers },
      }),
    ticketFor: async (id: string, query: string) => {
      const url = `${server.url}${apiPath}/profiles/${id}/ticket${query}`;
      const response = await fetch(url, { method: 'POST', headers: { authorization } });
      return ticketSchema.parse(await response.json()).url;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

it('takes the contents out of a snapshot on its way, and is the same bytes each time', async () => {
  await using served = await serve();
  const { snapshot, ask } = served;
  const response = await ask(snapshot.id);
  expect(response.status).toBe(200);
  expect(response.headers.get('accept-ranges')).toBe('none');
  expect(response.headers.get('content-length')).toBeNull();
  expect(response.headers.get('content-disposition')).toMatch(/\.redacted\.heapsnapshot"$/);
  const etag = response.headers.get('etag') ?? '';
  expect(etag).not.toBe(`"${snapshot.sha256}"`);
  const redacted = await bytesOf(response);
  expect(secrets.includes(word)).toBe(true);
  expect(redacted.includes(word)).toBe(false);
  const nodes = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.indexOf('"strings":'));
  expect(nodes(redacted).equals(nodes(secrets))).toBe(true);

  const packed = await ask(snapshot.id, { 'accept-encoding': 'gzip', range: 'bytes=10-20' });
  expect(packed.status).toBe(200);
  expect(packed.headers.get('content-encoding')).toBe('gzip');
  expect(packed.headers.get('etag')).toBe(etag.replace(/"$/, '-gzip"'));
  // `fetch` unpacks it.
  expect(digest(await bytesOf(packed))).toBe(digest(redacted));
  expect((await ask(snapshot.id, { 'if-none-match': etag })).status).toBe(304);
  const head = await ask(snapshot.id, {}, 'HEAD');
  expect([head.status, head.headers.get('etag')]).toEqual([200, etag]);
});

it('opens with a ticket what it was made for: the redacted form, or the whole one', async () => {
  await using served = await serve();
  const { snapshot, origin, ticketFor } = served;
  const redactedLink = await ticketFor(snapshot.id, '?redact=true');
  expect(redactedLink).toContain('redact=true');
  expect((await bytesOf(await fetch(origin + redactedLink))).includes(word)).toBe(false);
  for (const link of [redactedLink.replace('redact=true&', ''), redactedLink.replace('redact=true', 'redact=false')]) {
    const refused = await fetch(origin + link);
    expect(problemSchema.parse(await refused.json()).code).toBe('bad-ticket');
  }
  const whole = await ticketFor(snapshot.id, '');
  expect(problemSchema.parse(await (await fetch(`${origin}${whole}&redact=true`)).json()).code).toBe('bad-ticket');
});

it('refuses what has nothing to redact, what is no snapshot, and what memory is too small for', async () => {
  await using served = await serve();
  const code = async (response: Response) => problemSchema.parse(await response.json()).code;
  expect(await code(await served.ask(served.cpu.id))).toBe('unsupported-format');
  expect(await code(await served.ask(served.nonsense.id))).toBe('unreadable-profile');
  await using small = await serve({ containerBytes: process.memoryUsage.rss() + 10 * 2 ** 20 });
  const refused = problemSchema.parse(await (await small.ask(small.snapshot.id)).json());
  expect([refused.code, refused.status]).toEqual(['analysis-limit', 422]);
  expect(refused.detail).toContain('sidescope heap redact');
});

it('lets go of the process and the artifact when the reader leaves', async () => {
  await using served = await serve();
  const { snapshot, store, services } = served;
  const leaving = await served.ask(snapshot.id);
  const second = await served.ask(snapshot.id);
  expect(problemSchema.parse(await second.json()).code).toBe('too-many-analyses');
  await leaving.body?.cancel();
  await waitFor(() => services.audited.some(({ result }) => result === 'aborted'), {
    message: 'the download to be given up',
  });
  const isPossible = async (): Promise<boolean> => {
    const response = await served.ask(snapshot.id);
    await response.body?.cancel();
    return response.status === 200;
  };
  await waitFor(isPossible, { message: 'another redaction to be possible' });
  const remove = () => store.delete(snapshot.id).then(() => true);
  await waitFor(remove, { message: 'the artifact to be let go' });
});

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
