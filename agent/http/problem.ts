import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { problemKinds } from '../../protocol/rest/problem.ts';
import type { Problem } from '../../protocol/rest/problem.ts';
import { apiPath } from '../../protocol/rest/routes.ts';

/** The one place where errors become answers. Whatever is not a SidescopeError is `internal`, without a word of it. */
export function problemResponse(error: SidescopeError, requestId: string): Response {
  const { status } = problemKinds[error.code];
  return new Response(problemBody(error, requestId), { status, headers: headersOf(error) });
}

/** RFC 9457, one line. */
export function problemBody(error: SidescopeError, requestId: string): string {
  const { status, cause, remedy } = problemKinds[error.code];
  const { errors, ...details } = error.details;
  const body: Problem = {
    type: `${apiPath}/ui/docs#problem-${error.code}`,
    title: cause,
    status,
    code: error.code,
    detail: error.message,
    remedy,
    requestId,
    ...(isParameterList(errors) ? { errors } : {}),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
  return `${JSON.stringify(body)}\n`;
}

/** A fault of ours keeps its facts for the log: the client gets the request id to ask for them. */
export function asSidescopeError(error: unknown): SidescopeError {
  if (isSidescopeError(error)) return error;
  return new SidescopeError('internal', 'an unexpected fault; the log has it under the request id', { cause: error });
}

function headersOf({ code, details }: SidescopeError): Headers {
  const headers = new Headers({ 'content-type': 'application/problem+json' });
  if (problemKinds[code].status === 401) headers.set('www-authenticate', 'Bearer realm="sidescope"');
  if (typeof details['retryAfterSeconds'] === 'number')
    headers.set('retry-after', String(Math.max(1, Math.ceil(details['retryAfterSeconds']))));
  if (code === 'method-not-allowed' && typeof details['allow'] === 'string') headers.set('allow', details['allow']);
  if (code === 'range-not-satisfiable' && typeof details['sizeBytes'] === 'number')
    headers.set('content-range', `bytes */${details['sizeBytes']}`);
  return headers;
}

function isParameterList(errors: unknown): errors is { parameter: string; message: string; value?: string }[] {
  return Array.isArray(errors);
}
