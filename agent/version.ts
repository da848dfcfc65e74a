import { readFileSync } from 'node:fs';

/** Put in by the build. */
declare const SIDESCOPE_VERSION: string | undefined;

/** The version in package.json: a constant of the bundle, read from the file when run from source. */
export const version = typeof SIDESCOPE_VERSION === 'string' ? SIDESCOPE_VERSION : packageVersion();

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
