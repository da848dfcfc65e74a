import { SidescopeError } from '../../protocol/error.ts';

const fullCodes = new Set(['ENOSPC', 'EDQUOT']);
const sqliteFull = 13;

/** Any failure of the file system or of SQLite as `disk-full` or `storage-failed`; one that is a SidescopeError stays as it is. */
export function storageError(error: unknown, attempt: string): SidescopeError {
  if (error instanceof SidescopeError) return error;
  const code = isDiskFull(error) ? 'disk-full' : 'storage-failed';
  return new SidescopeError(code, `${attempt}: ${reasonOf(error)}`, { cause: error });
}

export function isDiskFull(error: unknown): boolean {
  return fullCodes.has(systemCode(error)) || sqliteErrorCode(error) === sqliteFull;
}

/** `ENOENT` and the like; empty when the error is not the system's. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** SQLite's primary result code (https://www.sqlite.org/rescode.html); 0 when the error is not SQLite's. */
export function sqliteErrorCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
