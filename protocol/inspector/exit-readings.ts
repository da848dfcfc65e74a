import { z } from 'zod';
import { checked } from './readings.ts';

export interface LastError {
  readonly origin: 'uncaughtException' | 'unhandledRejection';
  readonly name: string;
  readonly message: string;
  /** Empty for what is no Error. */
  readonly stack: string;
}

/** What a process that calls `process.exit`, or that an exception ends, says of its end. */
export interface ExitReading {
  /** null when none was set: a signal that it sent to itself, or `process.reallyExit`. */
  readonly exitCode: number | null;
  readonly isExiting: boolean;
  /** Raised in the turn that it ends in. */
  readonly error: LastError | null;
}

const exitSchema = z.tuple([
  z.union([z.number(), z.string()]).nullable(),
  z.boolean(),
  z.tuple([z.string().max(40), z.string().max(100), z.string().max(1000), z.string().max(8000)]).nullable(),
]);

export function decodeExit(value: unknown): ExitReading {
  const [code, isExiting, error] = checked('exit', exitSchema, value);
  const exitCode = code === null || code === '' ? null : Number(code);
  const [origin, name = '', message = '', stack = ''] = error ?? [];
  return {
    // The kernel keeps eight bits of it.
    exitCode: exitCode !== null && Number.isSafeInteger(exitCode) ? exitCode & 0xff : null,
    isExiting,
    error:
      error === null
        ? null
        : { origin: origin === 'unhandledRejection' ? origin : 'uncaughtException', name, message, stack },
  };
}
