import type { Readable } from 'node:stream';
import { HttpSender, refusal, type Answer, type SenderTimes, type Sending } from '../http-send.ts';
import { SendError, type FailureReason } from '../send-error.ts';
import type { CredentialSource } from './credentials.ts';
import type { S3Location } from './location.ts';
import { emptySha256, encodePath, encodeUri, sha256, signRequest } from './sign.ts';
import { elementsOf, escapeXml, fieldOf } from './xml.ts';

export interface S3ClientOptions {
  readonly location: S3Location;
  readonly credentials: CredentialSource;
  /** PEM of the authorities that the endpoint is trusted by, instead of the public ones. */
  readonly ca?: string | undefined;
  readonly times?: Partial<SenderTimes> | undefined;
  readonly userAgent: string;
}

/** Bytes whose SHA-256 is known before they are sent, as the signature needs it. */
export type S3Body = Uint8Array | HashedBytes | StreamedBody;

export interface HashedBytes {
  readonly bytes: Uint8Array;
  /** Hexadecimal; made while the bytes came, as 8 MiB at once would hold the event loop for 20 ms and more. */
  readonly sha256: string;
}

export interface StreamedBody {
  readonly stream: Readable;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface S3Listing {
  readonly objects: readonly { readonly key: string; readonly sizeBytes: number }[];
  /** Up to the delimiter, with it. */
  readonly prefixes: readonly string[];
  readonly next: string | undefined;
}

/** What S3 says when it refuses, whatever was asked. */
const errorBytesMax = 16 * 1024;

/** Said with 400, as is what is wrong with an object for good. */
const notAboutTheObject: Readonly<Record<string, FailureReason>> = {
  AuthorizationHeaderMalformed: 'credentials',
  ExpiredToken: 'credentials',
  InvalidToken: 'credentials',
  TokenRefreshRequired: 'credentials',
  RequestTimeout: 'timeout',
  IncompleteBody: 'cut',
  'KMS.DisabledException': 'refused',
  'KMS.KMSInvalidStateException': 'refused',
  'KMS.NotFoundException': 'refused',
};

interface Call {
  readonly method: Sending['method'];
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: S3Body | undefined;
  readonly answerBytesMax?: number;
  /** Beside 200 and 204. */
  readonly accepts?: readonly number[];
  readonly signal: AbortSignal;
}

/**
 * What we need of the S3 API, against AWS and what speaks it: no checksum trailers (others refuse `aws-chunked`), every body signed by its SHA-256. Keys are whole: the location's
 * prefix is the caller's. Rejects with a `SendError` that holds S3's own code, or with `signal.reason`.
 */
export class S3Client implements Disposable {
  readonly #options: S3ClientOptions;
  readonly #base: URL;
  readonly #sender: HttpSender;
  /** How far the receiver's clock was ahead of ours when that made a difference. */
  #skewMs = 0;

  constructor(options: S3ClientOptions) {
    this.#options = options;
    this.#base = baseOf(options.location);
    this.#sender = new HttpSender(this.#base, options);
  }

  async put(key: string, body: S3Body, { headers, signal }: { headers?: Record<string, string>; signal: AbortSignal }) {
    await this.#call({ method: 'PUT', key, body, ...(headers !== undefined && { headers }), signal });
  }

  /** The upload's id. Parts that are never completed or aborted stay, and cost: whoever starts one ends it. */
  async startParts(key: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }) {
    const { body } = await this.#call({ method: 'POST', key, query: { uploads: '' }, headers, signal });
    const uploadId = fieldOf(body.toString(), 'UploadId');
    if (uploadId === '') throw this.#odd('began an upload without an id');
    return uploadId;
  }

  /** Parts have 5 MiB at least, but the last. Resolves with what `completeParts` needs. */
  async putPart(
    key: string,
    part: { uploadId: string; number: number; body: HashedBytes; signal: AbortSignal },
  ): Promise<string> {
    const query = { partNumber: String(part.number), uploadId: part.uploadId };
    const { headers } = await this.#call({ method: 'PUT', key, query, body: part.body, signal: part.signal });
    if (headers.etag === undefined) throw this.#odd('took a part without an ETag');
    return headers.etag;
  }

  async completeParts(
    key: string,
    { uploadId, etags, signal }: { uploadId: string; etags: readonly string[]; signal: AbortSignal },
  ): Promise<void> {
    const parts = etags.map(
      (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`,
    );
    const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`);
    const headers = { 'content-type': 'application/xml' };
    const answer = await this.#call({ method: 'POST', key, query: { uploadId }, headers, body, signal });
    // S3 answers 200 before it knows, and says in the body that it failed.
    const code = /<Error>/.test(answer.body.toString()) ? fieldOf(answer.body.toString(), 'Code') : undefined;
    if (code !== undefined) throw refusal(this.#sender.name, { ...answer, status: 500 }, code);
  }

  /** Also of an upload that is gone already. */
  async abortParts(key: string, { uploadId, signal }: { uploadId: string; signal: AbortSignal }): Promise<void> {
    await this.#call({ method: 'DELETE', key, query: { uploadId }, accepts: [404], signal });
  }

  /** Undefined when there is none. Rejects beyond `bytesMax`. */
  async get(key: string, { bytesMax, signal }: { bytesMax: number; signal: AbortSignal }): Promise<Buffer | undefined> {
    const answerBytesMax = Math.max(bytesMax, errorBytesMax);
    const answer = await this.#call({ method: 'GET', key, answerBytesMax, accepts: [404], signal });
    if (answer.status !== 404) {
      if (answer.body.length > bytesMax)
        throw new SendError(`${key} has ${answer.body.length} B, the limit is ${bytesMax} B`, {
          reason: 'refused',
          next: 'never',
        });
      return answer.body;
    }
    const code = fieldOf(answer.body.toString(), 'Code');
    if (code === 'NoSuchBucket') throw refusal(this.#sender.name, answer, code);
    return undefined;
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#call({ method: 'DELETE', key, accepts: [404], signal });
  }

  /** One page, of 1,000 at most. */
  async list(
    prefix: string,
    options: { delimiter?: string; after?: string | undefined; max: number; signal: AbortSignal },
  ): Promise<S3Listing> {
    const { delimiter, after, max, signal } = options;
    const query = {
      'list-type': '2',
      'max-keys': String(Math.min(max, 1_000)),
      prefix,
      ...(delimiter !== undefined && { delimiter }),
      ...(after !== undefined && { 'continuation-token': after }),
    };
    const { body } = await this.#call({ method: 'GET', key: '', query, signal });
    const text = body.toString();
    const objects = elementsOf(text, 'Contents').map((one) => ({
      key: fieldOf(one, 'Key'),
      sizeBytes: Number(fieldOf(one, 'Size')),
    }));
    const prefixes = elementsOf(text, 'CommonPrefixes').map((one) => fieldOf(one, 'Prefix'));
    const isMore = fieldOf(text, 'IsTruncated') === 'true';
    return { objects, prefixes, next: isMore ? fieldOf(text, 'NextContinuationToken') || undefined : undefined };
  }

  [Symbol.dispose](): void {
    this.#sender[Symbol.dispose]();
  }

  async #call(call: Call, isAgain = false): Promise<Answer> {
    const answer = await this.#ask(call);
    const { status } = answer;
    if (status === 200 || status === 204 || call.accepts?.includes(status) === true) return answer;
    const code = fieldOf(answer.body.toString(), 'Code').slice(0, 100);
    if (code === 'RequestTimeTooSkewed') {
      // A node whose clock is wrong, or was until now: signed by the receiver's, again where the body can be sent again, else from the next attempt on.
      this.#skewMs = Date.parse(answer.headers.date ?? '') - Date.now() || 0;
      if (!isAgain && !isStream(call.body)) return this.#call(call, true);
    }
    throw this.#refusal(answer, code);
  }

  #refusal(answer: Answer, code: string): SendError {
    const said = answer.headers['x-amz-bucket-region'] ?? fieldOf(answer.body.toString(), 'Region');
    const isElsewhere =
      typeof said === 'string' && /^[a-z0-9-]{1,40}$/.test(said) && said !== this.#options.location.region;
    const refused = refusal(this.#sender.name, answer, isElsewhere ? `${code} (its region is ${said})` : code);
    const reason = Object.hasOwn(notAboutTheObject, code) ? notAboutTheObject[code] : undefined;
    if (answer.status !== 400 || reason === undefined) return refused;
    return new SendError(refused.message, { reason, next: 'destination-waits' });
  }

  async #ask({ method, key, query = {}, headers = {}, body, answerBytesMax, signal }: Call): Promise<Answer> {
    const { credentials, location, userAgent } = this.#options;
    const url = new URL(this.#base);
    url.pathname = `${this.#base.pathname.replace(/\/$/, '')}/${encodePath(key)}`;
    // Written as it is signed: a `+` for a space would be another signature.
    url.search = Object.entries(query)
      .map(([name, value]) => `${encodeUri(name)}=${encodeUri(value)}`)
      .join('&');
    const bodySha256 = body === undefined ? emptySha256 : 'sha256' in body ? body.sha256 : sha256(body);
    const sentBody = body !== undefined && 'bytes' in body ? body.bytes : body;
    const signed = signRequest(
      { method, url, headers: { ...headers, 'user-agent': userAgent }, bodySha256 },
      {
        credentials: await credentials.get(signal),
        region: location.region,
        date: new Date(Date.now() + this.#skewMs),
      },
    );
    return await this.#sender.send({ url, method, headers: signed, body: sentBody, answerBytesMax }, signal);
  }

  #odd(what: string): SendError {
    return new SendError(`${this.#sender.name} ${what}`, { reason: 'server-error', next: 'destination-waits' });
  }
}

function isStream(body: S3Body | undefined): boolean {
  return body !== undefined && 'stream' in body;
}

function baseOf({ bucket, endpoint, region, isPathStyle }: S3Location): URL {
  const base = new URL(endpoint ?? `https://s3.${region}.amazonaws.com/`);
  if (isPathStyle) base.pathname = `${base.pathname.replace(/\/$/, '')}/${bucket}`;
  else base.hostname = `${bucket}.${base.hostname}`;
  return base;
}
