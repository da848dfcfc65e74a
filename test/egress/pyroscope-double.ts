import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';

export interface Ingested {
  /** Before the braces of `name`, and in them. */
  readonly app: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly from: number;
  readonly until: number;
  readonly sampleRate: number | null;
  readonly headers: IncomingHttpHeaders;
  readonly pprof: Profile;
  readonly sampleTypes: Readonly<Record<string, { readonly units: string; readonly 'display-name': string }>>;
}

export interface PyroscopeDouble extends AsyncDisposable {
  readonly url: string;
  readonly ingested: readonly Ingested[];
  /** Of the requests that break the contract of `POST /ingest`: they are answered 400. */
  readonly broken: readonly string[];
}

/** Takes what Pyroscope's documentation and its official client say `/ingest` takes, decodes it with another implementation of pprof, and refuses the rest. */
export async function openPyroscope(): Promise<PyroscopeDouble> {
  const ingested: Ingested[] = [];
  const broken: string[] = [];
  const server = createServer((request, response) => {
    void buffer(request)
      .then((body) => ingest(request.url ?? '', request.headers, body))
      .then(
        (one) => {
          ingested.push(one);
          response.end();
        },
        (error: unknown) => {
          broken.push(String(error));
          response.writeHead(400).end();
        },
      );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ingested,
    broken,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function ingest(path: string, headers: IncomingHttpHeaders, body: Buffer): Promise<Ingested> {
  const { pathname, searchParams } = new URL(path, 'http://double');
  if (pathname !== '/ingest') throw new Error(`no route ${pathname}`);
  const query = (name: string): string => {
    const value = searchParams.get(name);
    if (value === null) throw new Error(`no parameter ${name}`);
    return value;
  };
  if (query('format') !== 'pprof') throw new Error(`format ${query('format')}`);
  const [, app, inside] = /^([\w.\-/]+)\{([^{}]*)\}$/.exec(query('name')) ?? [];
  if (app === undefined || inside === undefined) throw new Error(`name ${query('name')}`);
  const pairs = inside.split(',').map((pair) => {
    const [, name, value] = /^([a-zA-Z_]\w*)=([^=,{}]+)$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) throw new Error(`label ${pair}`);
    return [name, value] as const;
  });
  const form = await new Response(new Uint8Array(body), {
    headers: { 'content-type': headers['content-type'] ?? '' },
  }).formData();
  const file = async (name: string): Promise<Buffer> => {
    const field = form.get(name);
    if (!(field instanceof File)) throw new Error(`no file ${name}`);
    return Buffer.from(await field.arrayBuffer());
  };
  const rate = searchParams.get('sampleRate');
  return {
    app,
    labels: Object.fromEntries(pairs),
    from: seconds(query('from')),
    until: seconds(query('until')),
    sampleRate: rate === null ? null : Number(rate),
    headers,
    pprof: Profile.decode(gunzipSync(await file('profile'))),
    sampleTypes: JSON.parse((await file('sample_type_config')).toString()) as Ingested['sampleTypes'],
  };
}

function seconds(text: string): number {
  if (!/^\d{10}$/.test(text)) throw new Error(`${text} is no time in seconds`);
  return Number(text);
}
