import { nearestName } from './nearest-name.ts';
import type { ValueLimits, ValueTypeName } from './value-types.ts';

export type OptionSource = 'flag' | 'environment' | 'file' | 'default';

/** One row of the option table. */
export interface OptionRow extends ValueLimits {
  readonly type: ValueTypeName;
  readonly group: string;
  /** One sentence, for help and README. */
  readonly meaning: string;
  /** Written as a user would; null when there is none. */
  readonly default: string | null;
  /** Said instead of `default` where the default depends on the surroundings. */
  readonly defaultText?: string;
  /** May be given several times; in the environment and in one flag, values are separated by commas. */
  readonly repeatable?: true;
  /** The value is never shown. */
  readonly secret?: true;
  /** One letter, as in `-h`. */
  readonly short?: string;
  /** Which sources may set it. Default all. */
  readonly from?: readonly OptionSource[];
  /** Usual names of other tools, read after our own. */
  readonly alsoFrom?: readonly string[];
}

export type OptionTable = Readonly<Record<string, OptionRow>>;

/** `warning` is reported and nothing more; `error` ends the agent when it is strict. */
export interface OptionProblem {
  readonly severity: 'error' | 'warning';
  /** The option meant, where it is known. */
  readonly option: string | null;
  readonly message: string;
}

/** What one source says: the texts of each option, and where each was read. */
export interface SourceReading {
  readonly given: ReadonlyMap<string, readonly { readonly text: string; readonly where: string }[]>;
  readonly problems: readonly OptionProblem[];
}

/** Collects what a source says; shared by the three readers. */
export class SourceReader implements SourceReading {
  readonly given = new Map<string, { text: string; where: string }[]>();
  readonly problems: OptionProblem[] = [];
  readonly table: OptionTable;
  readonly source: OptionSource;

  constructor(table: OptionTable, source: OptionSource) {
    this.table = table;
    this.source = source;
  }

  /** The row of an option that this source may set. */
  row(name: string): OptionRow | undefined {
    const row = Object.hasOwn(this.table, name) ? this.table[name] : undefined;
    return row?.from === undefined || row.from.includes(this.source) ? row : undefined;
  }

  add(name: string, { text, where }: { text: string; where: string }): void {
    const entries = this.given.get(name) ?? [];
    if (entries.length > 0 && this.table[name]?.repeatable !== true) {
      this.refuse(`${where} is given more than once`, name);
      return;
    }
    entries.push({ text, where });
    this.given.set(name, entries);
  }

  refuse(message: string, option: string | null = null): void {
    this.problems.push({ severity: 'error', option, message });
  }

  /** "; did you mean X?", or nothing. */
  suggestion(unknown: string, write: (name: string) => string): string {
    const names = Object.keys(this.table).filter((name) => this.row(name) !== undefined);
    const nearest = nearestName(unknown, names);
    return nearest === undefined ? '' : `; did you mean ${write(nearest)}?`;
  }
}

/** `--name value`, `--name=value`, `--flag`, `--no-flag`, and the single letters of the table. */
export function readArguments(argv: readonly string[], table: OptionTable): SourceReading {
  const reader = new SourceReader(table, 'flag');
  const rest = [...argv];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const [, dashes = '', written = '', value] = /^(--?)([^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
    const name = dashes === '-' ? nameOfLetter(written, table) : written;
    const row = reader.row(name);
    const where = `${dashes}${written}`;
    if (dashes === '') {
      reader.refuse(`unexpected argument ${quote(argument)}${addressHint(argument)}`);
    } else if (row === undefined && isNegation(name, reader) && value === undefined) {
      reader.add(name.slice(3), { text: 'false', where });
    } else if (row === undefined) {
      const hint = written === '' ? '' : reader.suggestion(written, (nearest) => `--${nearest}`);
      reader.refuse(
        written === '' ? `${quote(argument)} has no meaning here` : `unknown option ${quote(where)}${hint}`,
      );
      // The next word is most likely the unknown option's value: one mistake is one problem.
      if (value === undefined && rest[0] !== undefined && !rest[0].startsWith('-')) rest.shift();
    } else if (value !== undefined) {
      reader.add(name, { text: value, where });
    } else if (row.type === 'flag') {
      reader.add(name, { text: 'true', where });
    } else if (rest[0] === undefined || rest[0].startsWith('--')) {
      reader.refuse(`${where} needs a value`, name);
    } else {
      reader.add(name, { text: rest.shift() ?? '', where });
    }
  }
  return reader;
}

/** `SIDESCOPE_DATA_DIR` for `--data-dir`; an empty variable is one that is not set. */
export function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  table: OptionTable,
): SourceReading {
  const reader = new SourceReader(table, 'environment');
  const known = new Set<string>();
  for (const name of Object.keys(table)) {
    if (reader.row(name) === undefined) continue;
    known.add(environmentName(name));
    const where = [environmentName(name), ...(table[name]?.alsoFrom ?? [])].find(
      (key) => (environment[key] ?? '') !== '',
    );
    if (where !== undefined) reader.add(name, { text: environment[where] ?? '', where });
  }
  for (const key of Object.keys(environment)) {
    if (!key.startsWith('SIDESCOPE_') || known.has(key) || isServiceVariable(key)) continue;
    const hint = reader.suggestion(key.slice('SIDESCOPE_'.length), environmentName);
    reader.problems.push({ severity: 'warning', option: null, message: `unknown variable ${quote(key)}${hint}` });
  }
  return reader;
}

export function environmentName(option: string): string {
  return `SIDESCOPE_${option.toUpperCase().replaceAll('-', '_')}`;
}

/** For messages: in quotes, and never longer than a line. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/** Kubernetes sets these in every pod of a namespace that has a Service named `sidescope` or `sidescope-…`. */
function isServiceVariable(key: string): boolean {
  return /^SIDESCOPE_(.*_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/.test(
    key,
  );
}

function isNegation(name: string, reader: SourceReader): boolean {
  return name.startsWith('no-') && reader.row(name.slice(3))?.type === 'flag';
}

function nameOfLetter(letter: string, table: OptionTable): string {
  return Object.keys(table).find((name) => table[name]?.short === letter) ?? '';
}

function addressHint(argument: string): string {
  return /^[\w.-]*:?\d+$/.test(argument) ? `; a target is named by --target ${argument}` : '';
}
