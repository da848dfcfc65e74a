import { z } from 'zod';
import { checked } from './readings.ts';

/** What a process that calls `process.exit`, or that an exception ends, says of its end. */
export interface ExitReading {
  /** null when none was set: a signal that it sent to itself, or `process.reallyExit`. */
  readonly exitCode: number | null;
  readonly isExiting: boolean;
}

const exitSchema = z.tuple([z.union([z.number(), z.string()]).nullable(), z.boolean()]);

export function decodeExit(value: unknown): ExitReading {
  const [code, isExiting] = checked('exit', exitSchema, value);
  const exitCode = code === null || code === '' ? null : Number(code);
  // The kernel keeps eight bits of it.
  return { exitCode: exitCode !== null && Number.isSafeInteger(exitCode) ? exitCode & 0xff : null, isExiting };
}

export interface LastError {
  readonly origin: 'uncaughtException' | 'unhandledRejection';
  readonly name: string;
  readonly message: string;
  /** Empty for what is no Error. */
  readonly stack: string;
}

const errorSchema = z
  .tuple([z.string().max(40), z.string().max(100), z.string().max(1000), z.string().max(8000)])
  .nullable();

export function decodeLastError(value: unknown): LastError | null {
  const reading = checked('last error', errorSchema, value);
  if (reading === null) return null;
  const [origin, name, message, stack] = reading;
  return { origin: origin === 'unhandledRejection' ? origin : 'uncaughtException', name, message, stack };
}
