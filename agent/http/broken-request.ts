import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SidescopeError } from '../../protocol/error.ts';
import { problemKinds } from '../../protocol/rest/problem.ts';
import type { Log } from '../telemetry/log.ts';
import { problemBody } from './problem.ts';

/**
 * What Node.js refuses before there is a request: no HTTP, too many headers, a body that does not come. Its own answer is
 * a status line; this one is a problem, too. The connection is closed in every case.
 */
export function answerBrokenRequests(
  server: Server,
  listener: { readonly name: string; readonly log: Pick<Log, 'debug'> },
): void {
  const answers = new WeakMap<Socket, ServerResponse>();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => answers.set(request.socket, response));
  // An expectation other than 100-continue is nobody's business here; Node's 417 has no body.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    server.emit('request', request, response),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    listener.log.debug({ listener: listener.name, reason: error.code }, 'broken request');
    const answer = answers.get(socket);
    // Behind the head of an answer a second one would be read as its body.
    const isUnderWay = answer !== undefined && answer.headersSent && !answer.writableFinished;
    if (socket.writable && error.code !== 'ECONNRESET' && !isUnderWay) socket.write(rawAnswer(problemOf(error)));
    socket.destroy(error);
  });
}

function problemOf({ code }: NodeJS.ErrnoException): SidescopeError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new SidescopeError('request-timeout', 'the headers or the body of the request did not come in time');
    case 'HPE_HEADER_OVERFLOW':
      return new SidescopeError(
        'headers-too-large',
        'the target and the headers of the request have more than 16384 bytes',
      );
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new SidescopeError('body-too-large', 'the chunk extensions of the body have more than 16384 bytes');
    default:
      return new SidescopeError(
        'invalid-request',
        `the request is not HTTP/1.1 as this server reads it (${code ?? 'unknown'})`,
      );
  }
}

function rawAnswer(error: SidescopeError): string {
  const body = problemBody(error, 'none');
  return [
    `HTTP/1.1 ${problemKinds[error.code].status} Refused`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
