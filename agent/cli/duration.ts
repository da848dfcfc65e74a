import { SidescopeError } from '../../protocol/error.ts';
import { valueTypes } from '../options/value-types.ts';

/** `30s`, `5m`; throws `invalid-option` with the bounds. */
export function parseDuration(text: string, { flag, min, max }: { flag: string; min: string; max: string }): number {
  const parsed = valueTypes.duration.parse(text, { min, max, ...(min === '0s' && { zero: 'none' }) });
  if ('value' in parsed) return parsed.value;
  throw new SidescopeError('invalid-option', `${flag} ${JSON.stringify(text.slice(0, 40))} ${parsed.problem}`);
}
