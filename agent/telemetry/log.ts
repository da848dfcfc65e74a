import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';

export type Log = Logger;
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface LogOptions {
  readonly level: LogLevel;
  /** One readable line each, for a terminal; else one JSON document per line. */
  readonly isPretty?: boolean;
  /** Default: stderr. */
  readonly destination?: DestinationStream;
}

/** The agent's own log. Credentials are removed wherever a known field would carry one. */
export function createLog(options: LogOptions): Log {
  // Synchronous: the last lines before an exit are the ones that matter.
  const destination = options.destination ?? pino.destination({ fd: 2, sync: true });
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretPaths, censor: '[hidden]' },
    },
    options.isPretty ? prettyStream(destination) : destination,
  );
}

const secretNames = ['authorization', 'token', 'ticket', 'password', 'secret'];
const secretPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

function prettyStream(destination: DestinationStream): Writable {
  return new Writable({
    decodeStrings: false,
    write(line: string | Buffer, _encoding, done) {
      destination.write(`${prettyLine(line.toString())}\n`);
      done();
    },
  });
}

/** `12:01:02.123 WARN  message  name=value other="two words"`. */
export function prettyLine(json: string): string {
  const { level, time, msg, err, ...facts } = JSON.parse(json) as Record<string, unknown>;
  const clock = typeof time === 'string' ? time.slice(11, 23) : '';
  const label = (typeof level === 'string' ? level : 'info').toUpperCase().padEnd(5);
  const words = Object.entries(facts).map(([name, value]) => `${name}=${prettyValue(value)}`);
  const stack = isRecord(err) && typeof err['stack'] === 'string' ? `\n${err['stack']}` : '';
  return [clock, label, printable(typeof msg === 'string' ? msg : ''), ...words].filter(Boolean).join(' ') + stack;
}

function prettyValue(value: unknown): string {
  const text = typeof value === 'string' ? printable(value) : JSON.stringify(value);
  return /[\s"=]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text;
}

/** What a target calls itself must not move the terminal's cursor. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
