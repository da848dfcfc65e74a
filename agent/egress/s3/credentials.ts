import { SidescopeError } from '../../../protocol/error.ts';
import { readRegularFile } from '../../regular-file.ts';
import { HttpSender, refusal } from '../http-send.ts';
import { SendError } from '../send-error.ts';
import type { Credentials } from './sign.ts';
import { fieldOf } from './xml.ts';

/** Reads one environment variable; only main.ts knows the environment itself. */
export type ReadVariable = (name: string) => string | undefined;

export interface CredentialSource {
  /** Rejects with a `SendError` of reason `credentials`, which names files and variables, never what is in them. */
  get(signal: AbortSignal): Promise<Credentials>;
}

export interface CredentialOptions {
  readonly accessKeyFile?: string | undefined;
  readonly secretKeyFile?: string | undefined;
  readonly accessKeyEnv?: string | undefined;
  readonly secretKeyEnv?: string | undefined;
  readonly region: string;
  readonly variable: ReadVariable;
}

/** Before its end: an upload may take some minutes. */
const renewBeforeMs = 5 * 60_000;

/** Files, or named variables, or those that AWS names, or the web identity that EKS puts in a pod (`AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE`). Read for each upload: what is rotated holds at once. */
export function credentialSource(options: CredentialOptions): CredentialSource {
  let renewed: { credentials: Credentials; untilMs: number } | undefined;
  return {
    async get(signal) {
      const given = await readGiven(options);
      if (given !== undefined) return given;
      if (renewed === undefined || Date.now() > renewed.untilMs - renewBeforeMs)
        renewed = await assumeRole(options, signal);
      return renewed.credentials;
    },
  };
}

async function readGiven(options: CredentialOptions): Promise<Credentials | undefined> {
  const { accessKeyFile, secretKeyFile, variable } = options;
  if (accessKeyFile !== undefined && secretKeyFile !== undefined)
    return { accessKeyId: await secretOf(accessKeyFile), secretAccessKey: await secretOf(secretKeyFile) };
  const { accessKeyEnv = 'AWS_ACCESS_KEY_ID', secretKeyEnv = 'AWS_SECRET_ACCESS_KEY' } = options;
  const [accessKeyId, secretAccessKey] = [variable(accessKeyEnv), variable(secretKeyEnv)];
  if (isGiven(accessKeyId) && isGiven(secretAccessKey)) {
    const isAws = options.accessKeyEnv === undefined;
    return {
      accessKeyId,
      secretAccessKey,
      sessionToken: isAws ? variable('AWS_SESSION_TOKEN') || undefined : undefined,
    };
  }
  if (options.accessKeyEnv !== undefined) throw missing(`${accessKeyEnv} and ${secretKeyEnv} are not both set`);
  return undefined;
}

/** One line of a mounted file. Rejects with a `SendError` that names the file. */
export async function secretOf(path: string): Promise<string> {
  const text = await readRegularFile(path, { maxBytes: 64 * 1024 }).catch((error: unknown) => {
    throw error instanceof SidescopeError ? missing(error.message, error) : error;
  });
  const secret = text.trim();
  if (secret === '' || secret.length > 8_192 || /[^\x21-\x7e ]/.test(secret))
    throw missing(`${path} does not hold one line of text`);
  return secret;
}

async function assumeRole(
  { region, variable }: CredentialOptions,
  signal: AbortSignal,
): Promise<{ credentials: Credentials; untilMs: number }> {
  const [role, tokenFile] = [variable('AWS_ROLE_ARN'), variable('AWS_WEB_IDENTITY_TOKEN_FILE')];
  if (!isGiven(role) || !isGiven(tokenFile))
    throw missing(
      'there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name files, or give the pod a role (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE)',
    );
  const endpoint = variable('AWS_ENDPOINT_URL_STS') || `https://sts.${region}.amazonaws.com/`;
  if (!/^https?:/.test(endpoint) || !URL.canParse(endpoint))
    throw missing('AWS_ENDPOINT_URL_STS is no http or https address');
  const url = new URL(endpoint);
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: variable('AWS_ROLE_SESSION_NAME') || 'sidescope',
    WebIdentityToken: await secretOf(tokenFile),
  });
  using sender = new HttpSender(url);
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/xml' };
  const answer = await sender.send({ url, method: 'POST', headers, body: Buffer.from(body.toString()) }, signal);
  const text = answer.body.toString();
  if (answer.status !== 200) {
    const { message } = refusal(url.host, answer, fieldOf(text, 'Code'));
    throw missing(`no credentials for ${role}: ${message}`);
  }
  const [accessKeyId, secretAccessKey, sessionToken, expiration] = [
    fieldOf(text, 'AccessKeyId'),
    fieldOf(text, 'SecretAccessKey'),
    fieldOf(text, 'SessionToken'),
    Date.parse(fieldOf(text, 'Expiration')),
  ];
  if (accessKeyId === '' || secretAccessKey === '' || Number.isNaN(expiration))
    throw missing(`${url.host} answered without credentials for ${role}`);
  return { credentials: { accessKeyId, secretAccessKey, sessionToken }, untilMs: expiration };
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

function missing(message: string, cause?: unknown): SendError {
  return new SendError(message, { reason: 'credentials', next: 'destination-waits', cause });
}
