// What an API server makes of the CEL in a MutatingAdmissionPolicy, as far as ours goes: conditions by a CEL library, patches by walking its syntax tree,
// as their object types are known to an API server only.
import { text } from './render.ts';
import type { Json, JsonObject } from './render.ts';

interface CelLibrary {
  run(expression: string, bindings: object): unknown;
  parse(expression: string): { expr?: Expr };
}

interface Expr {
  readonly exprKind: { readonly case: string | undefined; readonly value?: unknown };
}

interface Entry {
  readonly keyKind: { readonly case: string; readonly value: unknown };
  readonly value?: Expr;
}

const library = (await import(
  new URL('../kubernetes/node_modules/@bufbuild/cel/dist/esm/index.js', import.meta.url).href
)) as CelLibrary;

export interface PatchStep {
  readonly op: string;
  readonly path: string;
  readonly value: Json;
}

/** Does this pod meet the condition? Throws when it is no CEL, or gives no boolean. */
export function condition(expression: string, object: JsonObject): boolean {
  const value = library.run(expression, { object });
  if (typeof value !== 'boolean') throw new Error(`${expression} gave ${JSON.stringify(value)}`);
  return value;
}

/** Each object type that is built, with the fields that it was given: `Object.spec.volumes` is checked as a list's element. */
export interface Built {
  readonly type: string;
  readonly value: JsonObject;
}

export function patchSteps(expression: string, object: JsonObject): { steps: PatchStep[]; built: Built[] } {
  const built: Built[] = [];
  const { expr } = library.parse(expression);
  const steps = evaluate(expr, { object, built }) as readonly JsonObject[];
  return { steps: steps as unknown as PatchStep[], built };
}

/** RFC 6902, of which `add` is used. Returns a new object. */
export function applyPatch(object: JsonObject, steps: readonly PatchStep[]): JsonObject {
  const result = structuredClone(object) as Record<string, unknown>;
  for (const { op, path, value } of steps) {
    if (op !== 'add') throw new Error(`${op} is not known here`);
    const keys = path
      .slice(1)
      .split('/')
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    let at: unknown = result;
    for (const key of keys) at = (at as Record<string, unknown>)[key];
    if (Array.isArray(at)) at.splice(last === '-' ? at.length : Number(last), 0, value);
    else if (typeof at === 'object' && at !== null) (at as Record<string, unknown>)[last] = value;
    else throw new Error(`${path} leads nowhere`);
  }
  return result as JsonObject;
}

interface Scope {
  readonly object: JsonObject;
  readonly built: Built[];
}

function evaluate(expr: Expr | undefined, scope: Scope): Json {
  const { case: kind, value } = expr?.exprKind ?? { case: undefined };
  switch (kind) {
    case 'constExpr':
      return constant(value as { constantKind: { case: string; value: unknown } });
    case 'identExpr': {
      const { name } = value as { name: string };
      if (name !== 'object') throw new Error(`there is no ${name}`);
      return scope.object;
    }
    case 'selectExpr': {
      const { operand, field, testOnly } = value as { operand: Expr; field: string; testOnly: boolean };
      const whole = evaluate(operand, scope) as JsonObject;
      return testOnly ? Object.hasOwn(whole, field) : (whole[field] ?? null);
    }
    case 'listExpr':
      return (value as { elements: Expr[] }).elements.map((element) => evaluate(element, scope));
    case 'structExpr':
      return struct(value as { messageName: string; entries: Entry[] }, scope);
    case 'callExpr':
      return call(value as { function: string; target?: Expr; args: Expr[] }, scope);
    default:
      throw new Error(`${kind ?? 'nothing'} is not known here`);
  }
}

function constant({ constantKind: { case: kind, value } }: { constantKind: { case: string; value: unknown } }): Json {
  return kind === 'int64Value' ? Number(value) : (value as Json);
}

function struct({ messageName, entries }: { messageName: string; entries: Entry[] }, scope: Scope): JsonObject {
  const fields = entries.map(({ keyKind, value }): [string, Json] => {
    const key = keyKind.case === 'fieldKey' ? (keyKind.value as string) : text(evaluate(keyKind.value as Expr, scope));
    return [key, evaluate(value, scope)];
  });
  const made = Object.fromEntries(fields);
  if (messageName !== '') scope.built.push({ type: messageName, value: made });
  return made;
}

function call({ function: name, target, args }: { function: string; target?: Expr; args: Expr[] }, scope: Scope): Json {
  const values = (): Json[] => args.map((argument) => evaluate(argument, scope));
  if (name === '_?_:_') return evaluate(evaluate(args[0], scope) === true ? args[1] : args[2], scope);
  if (name === '_+_') {
    const [left, right] = values();
    return Array.isArray(left) ? [...(left as Json[]), ...(right as Json[])] : `${left as string}${right as string}`;
  }
  const isEscape =
    name === 'escapeKey' && (target?.exprKind.value as { name?: string } | undefined)?.name === 'jsonpatch';
  if (isEscape) return text(values()[0]).replaceAll('~', '~0').replaceAll('/', '~1');
  throw new Error(`the function ${name} is not known here`);
}
