import { SidescopeError } from '../../protocol/error.ts';

/** Where an inspector is, as the person gave it. */
export interface InspectorAddress {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[::1]:port`, or a port alone on loopback. Throws `invalid-option`. */
export function parseInspectorAddress(text: string): InspectorAddress {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new SidescopeError(
      'invalid-option',
      `target ${JSON.stringify(text.slice(0, 100))} is not host:port with a port from 1 to 65535`,
    );
  }
  return { host: match[1] ?? match[2] ?? '127.0.0.1', port };
}

export function formatAddress({ host, port }: InspectorAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Stable over restarts of the target, safe in paths and queries. */
export function targetId(address: InspectorAddress): string {
  return formatAddress(address)
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^-/, '');
}
