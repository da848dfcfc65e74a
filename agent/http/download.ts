import { SidescopeError } from '../../protocol/error.ts';
import type { Profile, ProfileFormat } from '../../protocol/rest/profile.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import type { Ticket } from '../../protocol/rest/ticket.ts';
import { requireScope } from './auth.ts';
import { beginReading } from './artifact-body.ts';
import { requireStore } from './profiles.ts';
import { acceptsGzip, allowsRange, isNoneMatch, parseRange } from './range.ts';
import type { ByteRange } from './range.ts';
import {
  convertedRepresentation,
  ownFormat,
  plainRepresentation,
  redactedRepresentation,
  storedRepresentation,
} from './representation.ts';
import type { Representation } from './representation.ts';
import type { Handlers, RouteRequest } from './router.ts';
import type { AdminServices } from './services.ts';
import type { Tickets } from './tickets.ts';

interface DownloadServices {
  readonly services: AdminServices;
  readonly tickets: Tickets;
}

type Download = RouteRequest<'downloadProfile'>;

export function downloadHandlers({
  services,
  tickets,
}: DownloadServices): Pick<Handlers, 'downloadProfile' | 'makeTicket'> {
  return {
    downloadProfile: async (request) => {
      const profile = requireStore(services).get(request.id);
      const format = formatOf(profile, request.query.format);
      refuseRedaction(profile, request.query.redact);
      checkGrant(request, profile, format);
      request.audit.add({ profileId: profile.id, target: profile.targetId, sha256: profile.sha256 });
      const representation = await selectRepresentation({ services, request, profile, format });
      return answer({ services, request, profile, representation });
    },

    makeTicket: ({ id, query, subject, audit }) => {
      const profile = requireStore(services).get(id);
      if (profile.kind !== 'cpu') requireScope(subject, 'heap');
      const format = formatOf(profile, query.format);
      const redact = query.redact ?? false;
      refuseRedaction(profile, redact);
      audit.add({ profileId: id, target: profile.targetId, sha256: profile.sha256 });
      const { ticket, expiresAtMs } = tickets.issue({ profileId: id, sha256: profile.sha256, format, redact, subject });
      const parameters = new URLSearchParams({ format, ...(redact ? { redact: 'true' } : {}), ticket });
      const body: Ticket = {
        url: `${apiPath}/profiles/${id}/download?${parameters.toString()}`,
        expiresAt: new Date(expiresAtMs).toISOString(),
      };
      return Response.json(body, { status: 201 });
    },
  };
}

function formatOf(profile: Profile, asked: ProfileFormat | undefined): ProfileFormat {
  const format = asked ?? ownFormat[profile.kind];
  if (profile.formats.includes(format)) return format;
  throw new SidescopeError(
    'unsupported-format',
    `${profile.kind} comes as ${profile.formats.join(', ')}; not as ${format}`,
  );
}

function refuseRedaction({ kind }: Profile, asked: boolean | undefined): void {
  if (asked !== true || kind === 'heap-snapshot') return;
  throw new SidescopeError(
    'unsupported-format',
    `redact=true is for heap snapshots: a ${kind} profile holds no contents`,
  );
}

/** A ticket opens what it was made for, and nothing else; a credential needs the scope. */
function checkGrant({ grant, subject, query }: Download, profile: Profile, format: ProfileFormat): void {
  if (grant === undefined) {
    if (profile.kind !== 'cpu') requireScope(subject, 'heap');
    return;
  }
  if (
    grant.profileId !== profile.id ||
    grant.sha256 !== profile.sha256 ||
    grant.format !== format ||
    grant.redact !== (query.redact ?? false)
  )
    throw new SidescopeError('bad-ticket', 'the ticket is for another artifact or another form of it');
}

async function selectRepresentation(wanted: {
  services: AdminServices;
  request: Download;
  profile: Profile;
  format: ProfileFormat;
}): Promise<Representation> {
  const { services, request, profile, format } = wanted;
  if (request.query.redact === true) {
    const gzip = acceptsGzip(request.headers.get('accept-encoding'));
    return redactedRepresentation({ store: requireStore(services), profile, redactions: services.redactions, gzip });
  }
  const isOwn = format === ownFormat[profile.kind];
  // The artifact itself is V8's, byte for byte; what is made of it is for reading.
  const source = request.query.source ?? (isOwn ? 'raw' : 'original');
  if (profile.kind !== 'cpu' && isOwn && source === 'original')
    throw new SidescopeError(
      'unsupported-format',
      `${profile.kind} comes with the places that V8 wrote, not with original ones`,
    );
  if (!isOwn || source === 'original') {
    const bytes = await services.storedProfiles.convert(
      profile.id,
      { format, source, requests: request.query.requests },
      request.signal,
    );
    return convertedRepresentation({ profile, format, bytes });
  }
  const store = requireStore(services);
  const { headers } = request;
  return headers.get('range') === null &&
    acceptsGzip(headers.get('accept-encoding')) &&
    profile.storedBytes !== profile.sizeBytes
    ? storedRepresentation(store, profile)
    : plainRepresentation(store, profile);
}

interface Prepared {
  readonly services: AdminServices;
  readonly request: Download;
  readonly profile: Profile;
  readonly representation: Representation;
}

async function answer(prepared: Prepared): Promise<Response> {
  const { request, representation } = prepared;
  const { etag, sizeBytes } = representation;
  const headers = new Headers({ ...representation.headers, etag });
  if (!isNoneMatch(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers });

  const range = rangeOf(request, representation);
  headers.set('content-type', 'application/octet-stream');
  headers.set('content-disposition', `attachment; filename="${representation.fileName.replace(/[^\w.-]/g, '_')}"`);
  const lengthBytes = range === undefined ? sizeBytes : range.end - range.start;
  if (lengthBytes !== undefined) headers.set('content-length', String(lengthBytes));
  if (range !== undefined) headers.set('content-range', `bytes ${range.start}-${range.end - 1}/${sizeBytes}`);
  const status = range === undefined ? 200 : 206;
  // Hono answers HEAD by the GET route and drops the body: a stream opened here would stay open.
  const body = request.method === 'HEAD' ? null : await openBody(prepared, range);
  return new Response(body, { status, headers });
}

/** Range is for GET only, and only of plain bytes. */
function rangeOf({ method, headers }: Download, representation: Representation): ByteRange | undefined {
  const { etag, sizeBytes, takesRange } = representation;
  if (method !== 'GET' || !takesRange || sizeBytes === undefined || !allowsRange(headers.get('if-range'), etag))
    return undefined;
  const range = parseRange(headers.get('range'), sizeBytes);
  if (range !== 'unsatisfiable') return range;
  throw new SidescopeError('range-not-satisfiable', `the artifact has ${sizeBytes} bytes`, { details: { sizeBytes } });
}

async function openBody(prepared: Prepared, range: ByteRange | undefined): Promise<ReadableStream<Uint8Array>> {
  const { services, request, profile, representation } = prepared;
  // A file that is damaged at its start is still a problem document; later it can only be a cut connection.
  const reading = await beginReading(await representation.open(range));
  const writeAudit = request.audit.defer();
  const status = range === undefined ? 200 : 206;
  return reading.body({
    expectedBytes: range === undefined ? representation.sizeBytes : range.end - range.start,
    destroySocket: () => request.destroySocket(),
    onEnd: ({ bytes, failure, isAborted }) => {
      services.metrics.downloadedBytesTotal.inc({ kind: profile.kind }, bytes);
      request.audit.add({ bytes });
      writeAudit(failure === undefined ? (isAborted ? 'aborted' : 'ok') : failure.code, status);
      if (failure === undefined) return;
      services.metrics.downloadsFailedTotal.inc();
      const facts = { requestId: request.requestId, profileId: profile.id, bytes, code: failure.code, err: failure };
      services.log.error(facts, 'download cut');
    },
  });
}
