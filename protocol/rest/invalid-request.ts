import { SidescopeError } from '../error.ts';

/** One entry of `errors` in the answer to a request that is not what the contract says. */
export interface ParameterProblem {
  readonly parameter: string;
  /** With the limit, where there is one. */
  readonly message: string;
  /** As it was sent, its first 100 characters. */
  readonly value?: string;
}

const maxValueLength = 100;
const secretParameters = new Set(['ticket', 'token', 'access_token', 'authorization']);

/** `invalid-request` with `errors`, whose sum is the message. */
export function invalidRequest(errors: readonly ParameterProblem[]): SidescopeError {
  const sentence = errors.map(({ parameter, message }) => `${parameter}: ${message}`).join('; ');
  return new SidescopeError('invalid-request', sentence.slice(0, 1000), { details: { errors } });
}

/** For one value that only the part which uses it can judge. */
export function invalidParameter(parameter: string, message: string, value: unknown): SidescopeError {
  return invalidRequest([parameterProblem(parameter, message, value)]);
}

/** Names and values are cut at 100 characters, those of secrets left out. */
export function parameterProblem(parameter: string, message: string, value: unknown): ParameterProblem {
  const name = parameter.slice(0, maxValueLength);
  if (value === undefined || secretParameters.has(name)) return { parameter: name, message };
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return { parameter: name, message, value: text.slice(0, maxValueLength) };
}
