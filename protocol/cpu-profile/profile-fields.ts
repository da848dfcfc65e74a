import { SidescopeError } from '../error.ts';
import type { Frame } from './model.ts';

export function checkBound(what: string, value: number, max: number): void {
  if (value > max) throw new SidescopeError('analysis-limit', `the profile has more than ${max} ${what}`);
}

/** Fields of one of V8's profiles as JSON.parse gave them. What is of another type throws `unreadable-profile` with `where` and what it is. */
export class ProfileFields {
  readonly #format: string;

  /** `a CPU profile`. */
  constructor(format: string) {
    this.#format = format;
  }

  unreadable(message: string): SidescopeError {
    return new SidescopeError('unreadable-profile', `not ${this.#format}: ${message}`);
  }

  object(value: unknown, where: string): Record<string, unknown> {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw this.#expected('an object', value, where);
  }

  list(value: unknown, where: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw this.#expected('a list', value, where);
  }

  text(value: unknown, where: string): string {
    if (typeof value === 'string') return value;
    throw this.#expected('text', value, where);
  }

  number(value: unknown, where: string): number {
    if (Number.isFinite(value)) return value as number;
    throw this.#expected('a number', value, where);
  }

  integer(value: unknown, where: string): number {
    if (Number.isSafeInteger(value)) return value as number;
    throw this.#expected('a whole number', value, where);
  }

  /** Fits a column of 32 bits. */
  count(value: unknown, where: string): number {
    if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32) return value as number;
    throw this.#expected('a count', value, where);
  }

  sizeBytes(value: unknown, where: string): number {
    if (Number.isFinite(value) && (value as number) >= 0) return value as number;
    throw this.#expected('a size', value, where);
  }

  timeUs(value: unknown, where: string): number {
    if (Math.abs(this.number(value, where)) <= Number.MAX_SAFE_INTEGER) return value as number;
    throw this.#expected('a time in microseconds', value, where);
  }

  callFrame(value: unknown, where: string): Frame {
    const frame = this.object(value, where);
    return {
      functionName: this.text(frame['functionName'], `${where}.functionName`),
      url: this.text(frame['url'], `${where}.url`),
      scriptId: this.text(frame['scriptId'], `${where}.scriptId`),
      // From 0-based, with -1 for no place, to 1-based, with 0.
      line: Math.max(0, this.integer(frame['lineNumber'], `${where}.lineNumber`) + 1),
      column: Math.max(0, this.integer(frame['columnNumber'], `${where}.columnNumber`) + 1),
    };
  }

  #expected(what: string, value: unknown, where: string): SidescopeError {
    const seen =
      typeof value === 'number' || value === null ? String(value) : value === undefined ? 'missing' : typeof value;
    return this.unreadable(`${where} must be ${what}, is ${seen}`);
  }
}
