import { SidescopeError } from '../../protocol/error.ts';

/** The files of a command, as many as it takes; throws `invalid-option`. */
export function named(
  files: readonly string[],
  { verb, least, most }: { verb: string; least: number; most: number },
): readonly string[] {
  if (files.length >= least && files.length <= most) return files;
  const wanted = least === most ? String(least) : `${least} to ${most}`;
  throw new SidescopeError(
    'invalid-option',
    `${verb} takes ${wanted} ${most === 1 ? 'file' : 'files'}, got ${files.length}`,
  );
}

export function parseLimit(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new SidescopeError('invalid-option', `--limit ${JSON.stringify(text.slice(0, 40))} is no count from 1 to 9999`);
}

export function kubernetesName(text: string | undefined, flag: string): string | undefined {
  if (text === undefined || /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new SidescopeError('invalid-option', `${flag} ${JSON.stringify(text)} is no name in Kubernetes`);
}
