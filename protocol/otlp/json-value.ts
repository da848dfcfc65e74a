import { noCuts } from './cuts.ts';
import type { Cuts } from './cuts.ts';
import { narrowed, setAttribute } from './decode-value.ts';
import { depthMax, stringBytesMax, valuesPerSpanMax } from './limits.ts';
import type { Attributes, AttributeValue } from './model.ts';
import { unreadable } from './wire.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** One parsed piece: where it stands, for messages, and how many values it may still give. */
export class JsonPiece {
  readonly offset: number;
  #budget = valuesPerSpanMax;
  readonly #cuts: Cuts;

  constructor(offset: number, cuts = noCuts()) {
    this.offset = offset;
    this.#cuts = cuts;
  }

  fail(message: string): never {
    throw unreadable(message, this.offset);
  }

  /** Takes one value from what its span may hold. */
  holdsOneMore(): boolean {
    if (this.#budget-- > 0) return true;
    this.#cuts.values++;
    return false;
  }

  /** Absent and null are the same, as in all of protobuf's JSON. */
  object(value: unknown, name: string): JsonObject {
    if (value === undefined || value === null) return {};
    if (typeof value !== 'object' || Array.isArray(value)) this.fail(`${name} is not an object`);
    return value as JsonObject;
  }

  array(value: unknown, name: string): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) this.fail(`${name} is not an array`);
    return value;
  }

  string(value: unknown, name: string): string {
    if (value === undefined || value === null) return '';
    if (typeof value !== 'string') this.fail(`${name} is not a string`);
    if (value.length <= stringBytesMax) return value;
    this.#cuts.strings++;
    return value.slice(0, stringBytesMax);
  }

  /** An enum or 32 bits: a number, or a string of one. */
  integer(value: unknown, name: string): number {
    const exact = this.int64(value, name);
    if (typeof exact !== 'number') this.fail(`${name} is not a whole number of 32 bits`);
    return exact;
  }

  int64(value: unknown, name: string): number | bigint {
    if (value === undefined || value === null) return 0;
    // The JS exporter calls every whole double an integer: 1e+300 too.
    if (typeof value === 'number' && Number.isInteger(value)) return value;
    if (typeof value !== 'string' || !/^-?\d{1,20}$/.test(value)) this.fail(`${name} is not a whole number`);
    return value.length < 16 ? Number(value) : narrowed(BigInt(value));
  }

  attributes(value: unknown, depth = 0): Attributes {
    const attributes: Attributes = {};
    for (const each of this.array(value, 'attributes')) {
      if (!this.holdsOneMore()) continue;
      const pair = this.object(each, 'an attribute');
      setAttribute(attributes, this.string(pair['key'], 'key'), this.#anyValue(pair['value'], depth));
    }
    return attributes;
  }

  #anyValue(value: unknown, depth: number): AttributeValue {
    if (depth > depthMax) this.fail(`values are nested deeper than ${depthMax}`);
    let result: AttributeValue = null;
    const kinds = this.object(value, 'value');
    // `for in` and not entries: several million of these a minute.
    for (const kind in kinds) {
      const given = kinds[kind];
      // What JSON has for NaN and the infinities in the JS exporter: nothing is known of the value.
      if (given === null) continue;
      switch (kind) {
        case 'stringValue':
          result = this.string(given, kind);
          break;
        case 'boolValue':
          if (typeof given !== 'boolean') this.fail('boolValue is not true or false');
          result = given;
          break;
        case 'intValue':
          result = this.int64(given, kind);
          break;
        case 'doubleValue':
          result = this.#double(given);
          break;
        case 'arrayValue':
          result = this.#list(given, depth);
          break;
        case 'kvlistValue':
          result = this.attributes(this.object(given, kind)['values'], depth + 1);
          break;
        case 'bytesValue':
          result = this.#bytes(given);
      }
    }
    return result;
  }

  #list(value: unknown, depth: number): AttributeValue[] {
    const list: AttributeValue[] = [];
    for (const each of this.array(this.object(value, 'arrayValue')['values'], 'values')) {
      if (!this.holdsOneMore()) break;
      list.push(this.#anyValue(each, depth + 1));
    }
    return list;
  }

  #double(value: unknown): number {
    if (typeof value === 'number') return value;
    const isNumber = typeof value === 'string' && /^(NaN|-?Infinity|-?\d+(\.\d+)?([eE][+-]?\d+)?)$/.test(value);
    return isNumber ? Number(value) : this.fail('doubleValue is not a number');
  }

  #bytes(value: unknown): Uint8Array {
    if (typeof value !== 'string') return this.fail('bytesValue is not a string');
    if (value.length > (stringBytesMax * 4) / 3) {
      this.#cuts.strings++;
      return new Uint8Array();
    }
    try {
      return Uint8Array.from(atob(value.replaceAll('-', '+').replaceAll('_', '/')), (byte) => byte.charCodeAt(0));
    } catch {
      // The platform's error has no more to say.
      return this.fail('bytesValue is not base64');
    }
  }
}
