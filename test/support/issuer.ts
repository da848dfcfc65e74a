import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { CryptoKey, JWK } from 'jose';
import { freePort } from './free-port.ts';

export interface SigningKey {
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  /** As it stands in the key set. */
  readonly jwk: JWK;
}

export async function makeKey(keyId: string | undefined, algorithm = 'ES256'): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const id = keyId === undefined ? {} : { kid: keyId };
  return { algorithm, privateKey, jwk: { ...(await exportJWK(publicKey)), ...id, use: 'sig' } };
}

export interface Signing {
  /** Over those of an administrator whose token is good for five minutes; undefined takes one away. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

export const issuer = 'https://login.example.com/';
export const audience = 'sidescope';

export function sign({ algorithm, privateKey, jwk }: SigningKey, { claims, header }: Signing = {}): Promise<string> {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const usual = { iss: issuer, aud: audience, sub: 'ada', iat: nowSeconds, exp: nowSeconds + 300, roles: ['admin'] };
  const given = Object.fromEntries(Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined));
  const id = jwk.kid === undefined ? {} : { kid: jwk.kid };
  return new SignJWT(given).setProtectedHeader({ alg: algorithm, ...id, ...header }).sign(privateKey);
}

/** Any three parts, signed by nobody. */
export function unsigned(header: object, claims: object, signature = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${signature}`;
}

/** Serves a key set at `/jwks`, as an identity provider does, or what a test makes of it. */
export class Issuer implements AsyncDisposable {
  readonly #server: Server;
  keys: readonly JWK[] = [];
  /** Instead of the key set. `hangs` never answers. */
  answer: { status?: number; body?: string; headers?: Record<string, string> } | 'hangs' = {};
  /** Of the requests that came, their Authorization. */
  readonly asked: (string | undefined)[] = [];

  constructor(server: Server = createServer()) {
    this.#server = server;
    server.on('request', (request, response) => {
      this.asked.push(request.headers.authorization);
      if (this.answer === 'hangs') return;
      const { status = 200, body = JSON.stringify({ keys: this.keys }), headers = {} } = this.answer;
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
    });
  }

  static async open(keys: readonly JWK[], server?: Server): Promise<Issuer> {
    const opened = new Issuer(server);
    opened.keys = keys;
    await opened.listen();
    return opened;
  }

  /** At a port of its own, so that it can come back to it. */
  async listen(wanted?: number): Promise<void> {
    const port = wanted ?? (await freePort());
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.port}/jwks`);
  }

  /** Refuses connections from now on. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
