import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { parseSampler, type SamplerSetting } from '../../protocol/otlp/sampler.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { sourceMapContext } from './context.ts';
import { TargetFiles, type PathMapping } from './target-files.ts';
import { findTargetRoot, type TargetProcess } from './target-root.ts';

interface NameAndVersion {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
}

/** What a process was told to call itself, and what the package that it runs is called. */
export interface DeclaredIdentity {
  readonly otel: NameAndVersion;
  readonly package: NameAndVersion;
  /** Which traces its OpenTelemetry SDK was told to keep. */
  readonly sampler: SamplerSetting | undefined;
}

const maxPackageBytes = 256 * 1024;
const maxEnvironmentBytes = 1024 * 1024;
const maxLevels = 20;
const maxLength = 200;

/** From the process's environment (four variables of OpenTelemetry, nothing else is kept) and the package.json above its main script, as far as they can be seen from here. Never throws. */
export function readDeclared(target: Target, mappings: readonly PathMapping[]): DeclaredIdentity {
  const context = sourceMapContext({ view: target }, mappings);
  if (context === undefined) return { otel: {}, package: {}, sampler: undefined };
  const variables = readEnvironment(context.process);
  return {
    otel: otelIdentity(variables),
    sampler: parseSampler(
      bounded(variables.get('OTEL_TRACES_SAMPLER')?.trim()),
      bounded(variables.get('OTEL_TRACES_SAMPLER_ARG')),
    ),
    package: readPackage(target.identity?.mainScript ?? null, { process: context.process, mappings }),
  };
}

function readEnvironment(process: TargetProcess): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  try {
    // Proves first that the pid is the target's.
    if ('problem' in findTargetRoot(process)) return variables;
    const text = readFileSync(`/proc/${process.pid}/environ`, 'utf8').slice(0, maxEnvironmentBytes);
    for (const line of text.split('\0')) {
      const [, name, value] = declaredVariable.exec(line) ?? [];
      if (name !== undefined && value !== undefined) variables.set(name, value);
    }
  } catch {
    // Gone meanwhile, or of another user: then there is nothing to know.
    return variables;
  }
  return variables;
}

const declaredVariable =
  /^(OTEL_SERVICE_NAME|OTEL_RESOURCE_ATTRIBUTES|OTEL_TRACES_SAMPLER|OTEL_TRACES_SAMPLER_ARG)=(.*)$/s;

function otelIdentity(variables: ReadonlyMap<string, string>): NameAndVersion {
  const attributes = new Map(
    (variables.get('OTEL_RESOURCE_ATTRIBUTES') ?? '').split(',').flatMap((pair) => {
      const at = pair.indexOf('=');
      return at < 1 ? [] : [[pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())] as const];
    }),
  );
  return {
    name: bounded(variables.get('OTEL_SERVICE_NAME') ?? attributes.get('service.name')),
    version: bounded(attributes.get('service.version')),
  };
}

/** The nearest that has both: a package.json within dist/ often says only `"type"`. */
function readPackage(
  mainScript: string | null,
  where: { process: TargetProcess; mappings: readonly PathMapping[] },
): NameAndVersion {
  if (mainScript === null || !mainScript.startsWith('/')) return {};
  try {
    const files = new TargetFiles(where);
    let directory = posix.dirname(mainScript);
    for (let level = 0; level < maxLevels; level++) {
      const bytes = files.read(posix.join(directory, 'package.json'), maxPackageBytes)?.bytes;
      const found = bytes === undefined ? {} : parsePackage(bytes);
      if (found.name !== undefined && found.version !== undefined) return found;
      if (directory === '/') return {};
      directory = posix.dirname(directory);
    }
  } catch {
    // It cannot be read, or is no JSON: then there is nothing to know.
    return {};
  }
  return {};
}

function parsePackage(bytes: Uint8Array): NameAndVersion {
  const content: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (typeof content !== 'object' || content === null) return {};
  const { name, version } = content as { name?: unknown; version?: unknown };
  return {
    name: typeof name === 'string' ? bounded(name) : undefined,
    version: typeof version === 'string' ? bounded(version) : undefined,
  };
}

/** Values of OTEL_RESOURCE_ATTRIBUTES are percent-encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Written as it is.
    return text;
  }
}

function bounded(text: string | undefined): string | undefined {
  const plain = text?.replace(/[\u0000-\u001f\u007f]/g, '').slice(0, maxLength);
  return plain === '' ? undefined : plain;
}
