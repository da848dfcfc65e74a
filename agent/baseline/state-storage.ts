/**
 * Named bytes that several agents share, without locks: a directory, or a bucket. What baselines need of it and no more; every agent reads, writes and deletes at any
 * moment, so whoever uses it never changes a file that another one may read, but writes another and then deletes what that one replaces.
 *
 * A name is folders and a file name between slashes, each part of `[A-Za-z0-9_.-]`, at most 100 characters, with no dot at its start: `shop-1f/1.4-9a/baseline.0c.json`.
 * A prefix is '' or ends with a slash. Folders need not be made, and are gone with their last file.
 *
 * Everything rejects with an Error that says what failed (no credentials in it: it is shown), or with `signal.reason`; what is not there is not an error.
 */
export interface StateStorage {
  /** Where it is, for people: a path, `s3://bucket/prefix`. */
  readonly location: string;

  /** A call to it does not end: the process cannot end by itself. */
  readonly hangs?: boolean;

  /** Names of the folders right below a prefix, in any order, at most `max`. */
  folders(prefix: string, options: { readonly max: number; readonly signal: AbortSignal }): Promise<string[]>;

  /** Every file at any depth below a prefix, in any order, at most `max`. A file written before the call is among them. */
  files(prefix: string, options: { readonly max: number; readonly signal: AbortSignal }): Promise<StateFile[]>;

  /** Undefined when it is not there, also when it went away meanwhile. Rejects beyond `bytesMax`, without reading more than that. */
  read(
    name: string,
    options: { readonly bytesMax: number; readonly signal: AbortSignal },
  ): Promise<Uint8Array | undefined>;

  /** Whole or not at all: no reader, and no crash, sees a part. One of that name is replaced. */
  write(name: string, bytes: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>;

  delete(name: string, options: { readonly signal: AbortSignal }): Promise<void>;
}

export interface StateFile {
  readonly name: string;
  readonly sizeBytes: number;
}

const part = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$/;

/** Others may put what they like beside: implementations pass over what is no name. */
export function isStateName(name: string): boolean {
  return name.split('/').every((one) => part.test(one));
}

/** Throws a RangeError for what is no name. */
export function checkStateName(name: string): string {
  if (!isStateName(name)) throw new RangeError(`not a name of a state file: ${name}`);
  return name;
}
