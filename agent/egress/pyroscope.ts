import { randomUUID } from 'node:crypto';
import type { Destination } from './destination.ts';
import { refusal, type HttpSender } from './http-send.ts';
import type { ParcelFacts } from './parcel.ts';
import { secretOf } from './s3/credentials.ts';
import { fill } from './template.ts';

export interface PyroscopeOptions {
  readonly url: URL;
  readonly sender: HttpSender;
  /** Template of the application's name, which Pyroscope calls `service_name`. */
  readonly app: string;
  /** Beside namespace, pod, node, version and source. */
  readonly labels: Readonly<Record<string, string>>;
  /** The whole `Authorization` header, read for each profile. */
  readonly authorizationFile: string | undefined;
  readonly authorization: (() => string | undefined) | undefined;
  /** `X-Scope-OrgID`. */
  readonly tenant: string | undefined;
  readonly userAgent: string;
}

/**
 * `POST /ingest`, multipart with gzipped pprof (grafana.com/docs/pyroscope, "Server HTTP API"). Alloy's `pyroscope.receive_http` takes the same. Series carry `source`: `recorder` for
 * windows of the flight recorder, else `capture`, since a capture and the recorder's windows of the same time would be added up.
 */
export function pyroscope(options: PyroscopeOptions): Destination {
  const { url, sender, tenant, userAgent } = options;
  return {
    where: url.host,
    takes: ['cpu', 'heap-sampling', 'recorder'],
    async send(parcel, { signal }) {
      const profile = await parcel.pprof(signal);
      const { headers, body } = multipart([
        { name: 'profile', fileName: 'profile.pprof', mediaType: 'application/octet-stream', bytes: profile },
        {
          name: 'sample_type_config',
          fileName: 'sample_type_config.json',
          mediaType: 'application/json',
          bytes: Buffer.from(JSON.stringify(sampleTypesOf(parcel.facts))),
        },
      ]);
      const authorization = await authorizationOf(options);
      const answer = await sender.send(
        {
          url: ingestUrl(parcel.facts, options),
          method: 'POST',
          headers: {
            ...headers,
            'user-agent': userAgent,
            ...(authorization !== undefined && { authorization }),
            ...(tenant !== undefined && { 'x-scope-orgid': tenant }),
          },
          body,
        },
        signal,
      );
      if (answer.status < 200 || answer.status >= 300) throw refusal(sender.name, answer);
      return body.length;
    },
    [Symbol.dispose]: () => sender[Symbol.dispose](),
  };
}

function ingestUrl(facts: ParcelFacts, { url, app, labels }: PyroscopeOptions): URL {
  const { environment, service, intervalUs } = facts;
  const series: Record<string, string | undefined> = {
    namespace: environment['namespace'],
    pod: environment['pod'],
    node: environment['node'],
    version: service['version'],
    target: facts.targetName,
    thread: facts.threadId,
    source: facts.kind === 'recorder' ? 'recorder' : 'capture',
    ...labels,
  };
  const written = Object.entries(series).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name}=${labelText(value)}`],
  );
  const full = new URL(url);
  full.pathname = `${url.pathname.replace(/\/+$/, '')}/ingest`;
  const query: Record<string, string | undefined> = {
    name: `${fill(app, facts, labelText)}{${written.join(',')}}`,
    from: String(Math.floor(facts.startedAtMs / 1000)),
    until: String(Math.ceil(facts.endedAtMs / 1000)),
    spyName: 'nodespy',
    sampleRate: intervalUs === undefined ? undefined : String(Math.max(1, Math.round(1e6 / intervalUs))),
    format: 'pprof',
  };
  for (const [name, value] of Object.entries(query)) if (value !== undefined) full.searchParams.set(name, value);
  return full;
}

/** The key's own syntax has no escapes. */
function labelText(value: string): string {
  return value.replace(/[^\w.\-/: ]+/g, '_').slice(0, 200);
}

/** What the values of our pprof are there: without it Pyroscope knows `samples` and `inuse_space`, and drops what it does not know. */
function sampleTypesOf({ kind, profile }: ParcelFacts): Record<string, object> {
  if (kind !== 'heap-sampling')
    return {
      samples: { units: 'samples', 'display-name': 'samples', sampled: true },
      cpu: { units: 'nanoseconds', 'display-name': 'cpu', sampled: true },
    };
  const name = profile?.sampling?.mode === 'churn' ? 'alloc_space' : 'inuse_space';
  const aggregation = name === 'inuse_space' ? { aggregation: 'average' } : {};
  return { space: { units: 'bytes', 'display-name': name, ...aggregation } };
}

async function authorizationOf({ authorization, authorizationFile }: PyroscopeOptions): Promise<string | undefined> {
  return authorizationFile === undefined ? authorization?.() : await secretOf(authorizationFile);
}

interface Part {
  readonly name: string;
  readonly fileName: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** RFC 7578, each part a file: Pyroscope reads no other fields. */
function multipart(parts: readonly Part[]): { headers: Record<string, string>; body: Buffer } {
  const boundary = `sidescope-${randomUUID()}`;
  const pieces = parts.flatMap(({ name, fileName, mediaType, bytes }) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"; filename="${fileName}"\r\ncontent-type: ${mediaType}\r\n\r\n`,
    ),
    bytes,
    Buffer.from('\r\n'),
  ]);
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]),
  };
}
