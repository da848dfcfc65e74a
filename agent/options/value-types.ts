import { isIP } from 'node:net';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatAddress } from '../attach/address.ts';
import { parseSeriesRule, type SeriesRule } from '../baseline/series-rule.ts';
import { parseS3Url } from '../egress/s3/location.ts';
import type { PathMapping } from '../source-maps/target-files.ts';
import { formatJwksPlace, formatRoleScopes, parseJwksPlace, parseRoleScopes } from './jwt-values.ts';
import type { JwksPlace, RoleScopes } from './jwt-values.ts';

/** What a text given for an option means, or why it means nothing. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

export interface Address {
  /** A host name or an IP address; IPv6 without its brackets. */
  readonly host: string;
  readonly port: number;
}

/** An inspector, a process whose inspector is opened when it is not, or every Node process that is found. */
export type Target = Address | { readonly pid: number } | 'auto';

/** The part of an option's row that its parser reads. Bounds are texts of the option's own type. */
export interface ValueLimits {
  readonly min?: string;
  readonly max?: string;
  /** What zero means. Zero is refused when this is not there. */
  readonly zero?: string;
  readonly values?: readonly string[];
}

interface ValueType<T> {
  /** How to write one, for `--help`. */
  readonly syntax: string;
  parse(text: string, limits: ValueLimits): Parsed<T>;
  format(value: T): string;
}

export const valueTypes = {
  flag: { syntax: '', parse: parseFlag, format: String },
  path: { syntax: 'PATH', parse: parsePath, format: String },
  'state-url': { syntax: 'PATH|file:URL|s3:URL', parse: parseStateUrl, format: String },
  'egress-url': { syntax: 'URL', parse: parseEgressUrl, format: String },
  'series-rule': { syntax: 'RULE', parse: parseSeriesRuleText, format: formatSeriesRule },
  'path-mapping': {
    syntax: 'FROM=TO',
    parse: parsePathMapping,
    format: ({ from, to }) => `${from}=${to}`,
  },
  choice: { syntax: 'NAME', parse: parseChoice, format: String },
  host: { syntax: 'HOST', parse: parseHost, format: String },
  target: { syntax: 'HOST:PORT|pid:N|auto', parse: parseTarget, format: formatTarget },
  address: { syntax: 'HOST:PORT', parse: parseListenAddress, format: formatAddress },
  'address-or-off': {
    syntax: 'HOST:PORT|off',
    parse: (text) => (text === 'off' ? { value: 'off' } : parseListenAddress(text)),
    format: (value) => (value === 'off' ? value : formatAddress(value)),
  },
  url: { syntax: 'URL', parse: parseUrl, format: (value) => value.href },
  headers: { syntax: 'NAME=VALUE,…', parse: parseHeaders, format: (value) => Object.keys(value).join(',') },
  'url-path': { syntax: '/PATH', parse: parseUrlPath, format: (value) => (value === '' ? '/' : value) },
  jwks: { syntax: 'PATH|URL', parse: parseJwksPlace, format: formatJwksPlace },
  'role-scopes': { syntax: 'ROLE=SCOPE', parse: parseRoleScopes, format: formatRoleScopes },
  'sentry-dsn': { syntax: 'DSN', parse: parseSentryDsn, format: String },
  text: { syntax: 'TEXT', parse: parseText, format: String },
  share: { syntax: 'SHARE', parse: parseShare, format: String },
  count: { syntax: 'N', parse: parseCount, format: String },
  duration: {
    syntax: 'DURATION',
    parse: (text, limits) => parseQuantity(text, { limits, units: durationUnitsMs, example: '30s, 5m or 7d' }),
    format: (value) => formatQuantity(value, ['d', 'h', 'm', 's', 'ms'], durationUnitsMs),
  },
  size: {
    syntax: 'SIZE',
    parse: (text, limits) => parseQuantity(text, { limits, units: sizeUnitsBytes, example: '512MiB or 2GiB' }),
    format: (value) => formatQuantity(value, ['TiB', 'GiB', 'MiB', 'KiB', 'B'], sizeUnitsBytes),
  },
} as const satisfies {
  flag: ValueType<boolean>;
  path: ValueType<string>;
  'state-url': ValueType<string>;
  'egress-url': ValueType<string>;
  'series-rule': ValueType<SeriesRule>;
  'path-mapping': ValueType<PathMapping>;
  choice: ValueType<string>;
  host: ValueType<string>;
  target: ValueType<Target>;
  address: ValueType<Address>;
  'address-or-off': ValueType<Address | 'off'>;
  url: ValueType<URL>;
  headers: ValueType<Readonly<Record<string, string>>>;
  'url-path': ValueType<string>;
  jwks: ValueType<JwksPlace>;
  'role-scopes': ValueType<RoleScopes>;
  'sentry-dsn': ValueType<string>;
  text: ValueType<string>;
  share: ValueType<number>;
  count: ValueType<number>;
  duration: ValueType<number>;
  size: ValueType<number>;
};

export type ValueTypeName = keyof typeof valueTypes;

const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const sizeUnitsBytes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export function formatTarget(target: Target): string {
  if (target === 'auto') return target;
  return 'pid' in target ? `pid:${target.pid}` : formatAddress(target);
}

function parseFlag(text: string): Parsed<boolean> {
  if (['true', '1', 'on'].includes(text)) return { value: true };
  if (['false', '0', 'off'].includes(text)) return { value: false };
  return { problem: 'must be true or false' };
}

function parsePath(text: string): Parsed<string> {
  return text.includes('\0') || text.trim() === '' ? { problem: 'must be a path' } : { value: text };
}

/** A directory, as a path; or what begins with `s3:`, as it is. */
function parseStateUrl(text: string): Parsed<string> {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):/i.exec(text) ?? [];
  if (scheme === undefined) return parsePath(text);
  if (scheme === 's3') {
    const location = parseS3Url(text);
    return typeof location === 'string' ? { problem: location } : { value: text };
  }
  if (scheme.toLowerCase() !== 'file' || !URL.canParse(text))
    return { problem: 'must be a directory, such as /state or file:///state, or s3://BUCKET/PREFIX' };
  const url = new URL(text);
  if (url.host !== '' || /%2f|%00/i.test(url.pathname))
    return { problem: 'must name a directory of this machine, such as file:///state' };
  return { value: fileURLToPath(url) };
}

/** The rest of it is read where destinations are opened. */
function parseEgressUrl(text: string): Parsed<string> {
  const isKnown = /^(s3:\/\/[^/]|(pyroscope|webhook)\+https?:\/\/[^/]|file:\/)/.test(text) && text.length <= 2_000;
  return isKnown
    ? { value: text }
    : { problem: 'must be s3://BUCKET/PREFIX, pyroscope+https://HOST, webhook+https://HOST/PATH or file:///PATH' };
}

function parseSeriesRuleText(text: string): Parsed<SeriesRule> {
  const rule = parseSeriesRule(text);
  return rule === undefined
    ? {
        problem:
          'must be value, rate or pNN of a series, and what is too much: rate(http_errors_total{code=500}) +50% 0.1',
      }
    : { value: rule };
}

function formatSeriesRule({ text, direction, share, atLeast }: SeriesRule): string {
  return `${text} ${direction === 1 ? '+' : '-'}${Math.round(share * 100)}%${atLeast === 0 ? '' : ` ${atLeast}`}`;
}

function parsePathMapping(text: string): Parsed<PathMapping> {
  const match = /^(\/[^=\0]*)=([^=\0]+)$/.exec(text);
  if (match === null) return { problem: "must be FROM=TO, the target's absolute path first: /app=/mnt/app" };
  const from = posix.normalize(match[1] ?? '');
  return { value: { from: from === '/' ? from : from.replace(/\/$/, ''), to: match[2] ?? '' } };
}

function parseChoice(text: string, { values = [] }: ValueLimits): Parsed<string> {
  return values.includes(text) ? { value: text } : { problem: `must be one of ${values.join(', ')}` };
}

function parseHost(text: string): Parsed<string> {
  const host = text.toLowerCase();
  // Docker's service names may hold underscores, whatever the RFC says.
  if (/^[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?$/.test(host)) return { value: host };
  const literal = host.replace(/^\[(.*)\]$/, '$1');
  if (isIP(literal) === 6) return { value: `[${literal}]` };
  return { problem: 'must be a host name without scheme, port or wildcard, such as profiler.example.com' };
}

function parseTarget(text: string): Parsed<Target> {
  if (text === 'auto') return { value: text };
  if (text.startsWith('pid:')) {
    const pid = /^pid:([1-9]\d{0,9})$/.exec(text)?.[1];
    return pid === undefined
      ? { problem: 'must have a number behind pid:, such as pid:4242' }
      : { value: { pid: Number(pid) } };
  }
  const parsed = parseAddress(text, '127.0.0.1:9229');
  if ('value' in parsed && parsed.value.port === 0) return { problem: 'needs a port between 1 and 65535' };
  return parsed;
}

function parseListenAddress(text: string): Parsed<Address> {
  return parseAddress(text, '127.0.0.1:7777');
}

function parseAddress(text: string, example: string): Parsed<Address> {
  const match = /^(?:\[([^\]]+)\]|([^[\]:/\s]+)):(\d{1,5})$/.exec(text);
  if (match === null) return { problem: `must be host:port, such as ${example}` };
  const [, ipv6, name, portText] = match;
  const host = ipv6 ?? parseHost(name ?? '');
  const port = Number(portText);
  if (port > 65_535) return { problem: 'needs a port of at most 65535' };
  if (typeof host === 'string') {
    return isIP(host) === 6 ? { value: { host, port } } : { problem: 'has no IPv6 address between its brackets' };
  }
  return 'value' in host ? { value: { host: host.value, port } } : { problem: `must be host:port, such as ${example}` };
}

function parseUrl(text: string): Parsed<URL> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || text.length > 2_000)
    return { problem: 'must be an http or https address, such as https://example.com/hook' };
  return url.hash === '' ? { value: url } : { problem: 'must not have a part behind #' };
}

/** As the SDK reads it; it would only print what is wrong, with the key. */
function parseSentryDsn(text: string): Parsed<string> {
  return /^https?:\/\/\w+(:\w*)?@(\[[:.%\w]+\]|[\w.-]+)(:\d{1,5})?\/([\w/.-]+\/)?\d+$/.test(text)
    ? { value: text }
    : { problem: 'must be a DSN as Sentry shows it: https://KEY@HOST/PROJECT' };
}

function parseText(text: string): Parsed<string> {
  return /^[^\u0000-\u001f\u007f]{1,200}$/.test(text)
    ? { value: text }
    : { problem: 'must have 1 to 200 characters and no control characters' };
}

/** As OTEL_EXPORTER_OTLP_HEADERS has them: values may be percent-encoded. Names in lower case. */
function parseHeaders(text: string): Parsed<Readonly<Record<string, string>>> {
  const problem = 'must be NAME=VALUE, several with commas between them: api-key=abc,x-scope-orgid=7';
  const headers: Record<string, string> = {};
  for (const pair of text.split(',')) {
    const [, name, value] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    const decoded = value === undefined ? undefined : percentDecoded(value);
    if (name === undefined || decoded === undefined || !/^[\t\x20-\x7e]*$/.test(decoded)) return { problem };
    headers[name.toLowerCase()] = decoded;
  }
  return { value: headers };
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A % that begins no code: the reader says how to write it.
    return undefined;
  }
}

/** Without its last slash; `/` is the empty prefix. */
function parseUrlPath(text: string): Parsed<string> {
  return /^\/[\w.~/-]{0,200}$/.test(text)
    ? { value: text.replace(/\/+$/, '') }
    : { problem: 'must be a path, such as /otlp' };
}

function parseCount(text: string, limits: ValueLimits): Parsed<number> {
  if (!/^\d{1,12}$/.test(text)) return { problem: 'must be a whole number' };
  return withinLimits(Number(text), { limits, read: Number });
}

function parseShare(text: string, limits: ValueLimits): Parsed<number> {
  if (!/^(0(\.\d{1,4})?|1(\.0{1,4})?)$/.test(text)) return { problem: 'must be between 0 and 1, such as 0.9' };
  return withinLimits(Number(text), { limits, read: Number });
}

interface QuantitySyntax {
  readonly limits: ValueLimits;
  readonly units: Readonly<Record<string, number>>;
  readonly example: string;
}

function parseQuantity(text: string, { limits, units, example }: QuantitySyntax): Parsed<number> {
  const read = (quantity: string): number | undefined => {
    const match = /^(\d{1,12}(?:\.\d{1,6})?) ?([A-Za-z]*)$/.exec(quantity);
    const unit = match?.[2] === '' && Number(match[1]) === 0 ? 1 : units[match?.[2] ?? ''];
    return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
  };
  const value = read(text);
  if (value === undefined) {
    const wants = /^\d+(\.\d+)?$/.test(text) ? 'needs a unit' : 'must be a number with a unit';
    return { problem: `${wants} (${Object.keys(units).join(', ')}), such as ${example}` };
  }
  return withinLimits(value, { limits, read: (bound) => read(bound) ?? 0 });
}

/** Zero has its own meaning, or none: the lower bound holds for the rest. */
function withinLimits(
  value: number,
  { limits, read }: { limits: ValueLimits; read: (bound: string) => number },
): Parsed<number> {
  if (value === 0 && limits.zero !== undefined) return { value };
  if (value === 0 && limits.min === undefined) return { problem: 'must not be zero' };
  if (limits.min !== undefined && value < read(limits.min)) return { problem: `must be at least ${limits.min}` };
  if (limits.max !== undefined && value > read(limits.max)) return { problem: `must be at most ${limits.max}` };
  return { value };
}

function formatQuantity(value: number, names: readonly string[], units: Readonly<Record<string, number>>): string {
  const name = names.find((unit) => value % (units[unit] ?? 1) === 0);
  return value === 0 || name === undefined ? String(value) : `${value / (units[name] ?? 1)}${name}`;
}
