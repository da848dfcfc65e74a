import { isIP } from 'node:net';

/** Only this machine, or pod, reaches what listens there. IPv6 without brackets. */
export function isLoopbackAddress(address: string): boolean {
  return (
    address === '::1' ||
    (isIP(address) === 4 && address.startsWith('127.')) ||
    (isIP(address) === 6 && address.toLowerCase().startsWith('::ffff:127.'))
  );
}

/** As a person names it: other names may lead anywhere. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || isLoopbackAddress(host);
}
