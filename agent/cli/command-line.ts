import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { SidescopeError } from '../../protocol/error.ts';
import { nearestName } from '../options/nearest-name.ts';
import { wrap } from './wrap.ts';

export interface CommandOption {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** May be given more than once; its value is then a list. */
  readonly repeatable?: true;
  /** How its value is written, for `--help`. */
  readonly syntax?: string;
  readonly default?: string;
  readonly meaning: string;
}

export interface CommandShape<Options extends Readonly<Record<string, CommandOption>>> {
  /** `sidescope open pod/NAME`. */
  readonly usage: string;
  /** What it does. A line that ends without a full stop goes on in the next; one that is indented, a row of a table, stands alone. */
  readonly lines: readonly string[];
  readonly options: Options;
}

type Values<Options extends Readonly<Record<string, CommandOption>>> = {
  readonly [Name in keyof Options]: Options[Name] extends { type: 'boolean' }
    ? boolean
    : Options[Name] extends { repeatable: true }
      ? readonly string[]
      : Options[Name] extends { default: string }
        ? string
        : string | undefined;
};

/** Rejects with `invalid-option` and what is wrong. `help` is known to every command. */
export function readCommandLine<const Options extends Readonly<Record<string, CommandOption>>>(
  argv: readonly string[],
  shape: CommandShape<Options>,
): { values: Values<Options>; words: readonly string[]; help: boolean } {
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h', default: false } };
  for (const [name, { type, short, repeatable, default: text }] of Object.entries<CommandOption>(shape.options)) {
    const byDefault = type === 'boolean' ? false : repeatable ? [] : text;
    options[name] = {
      type,
      ...(repeatable && { multiple: true }),
      ...(short !== undefined && { short }),
      ...(byDefault !== undefined && { default: byDefault }),
    };
  }
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    // parseArgs has made exactly the fields of the table, with its defaults.
    return { values: values as Values<Options>, words: positionals, help: values['help'] === true };
  } catch (error) {
    const reason = reasonOf(error, Object.keys(options));
    throw new SidescopeError('invalid-option', `${reason}\nUsage: ${shape.usage}`, { cause: error });
  }
}

/** Node's own reason without its advice about `--`, which is seldom what was meant. */
function reasonOf(error: unknown, known: readonly string[]): string {
  const message = error instanceof Error ? error.message : String(error);
  const [reason, written] = /^Unknown option '--?([^']*)'/.exec(message) ?? [];
  if (reason === undefined || written === undefined) return message;
  const nearest = nearestName(written, known);
  return nearest === undefined ? reason : `${reason}; did you mean --${nearest}?`;
}

export function commandHelp(shape: CommandShape<Readonly<Record<string, CommandOption>>>): string {
  const help: CommandOption = { type: 'boolean', short: 'h', meaning: 'Print this text and exit.' };
  return [
    `Usage: ${shape.usage}`,
    '',
    ...paragraphs(shape.lines).flatMap((line) => (isRow(line) ? line : wrap(line, 0))),
    '',
    ...Object.entries({ ...shape.options, help }).flatMap(([name, { short, syntax, default: text, meaning }]) => [
      `  ${short === undefined ? '' : `-${short}, `}--${name}${syntax === undefined ? '' : ` ${syntax}`}`,
      ...wrap(`${meaning}${text === undefined ? '' : ` [default: ${text}]`}`, 6),
    ]),
    '',
  ].join('\n');
}

function paragraphs(lines: readonly string[]): string[] {
  const whole: string[] = [];
  for (const line of lines) {
    const last = whole.at(-1);
    if (last === undefined || last.endsWith('.') || isRow(last) || isRow(line)) whole.push(line);
    else whole[whole.length - 1] = `${last} ${line}`;
  }
  return whole;
}

function isRow(line: string): boolean {
  return line.startsWith(' ');
}
