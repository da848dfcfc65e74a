import type { SamplerSetting } from '../protocol/otlp/sampler.ts';
import type { Target } from '../protocol/rest/target.ts';
import { readDeclared, type DeclaredIdentity } from './source-maps/declared-identity.ts';
import type { PathMapping } from './source-maps/target-files.ts';

export interface Identity {
  readonly name: string;
  /** Null when nothing tells one version from another. */
  readonly version: string | null;
  /** Where the name comes from. */
  readonly source: 'option' | 'otel' | 'pod' | 'package' | 'target';
}

export interface ServiceIdentityOptions {
  /** `pod`: the name of the pod that the agent and its targets are in. */
  readonly environment: Readonly<Record<string, string>>;
  /** `--service-name` and `--service-version`: they hold for every target. */
  readonly serviceName?: string | undefined;
  readonly serviceVersion?: string | undefined;
  /** `--source-map-path`, through which a package.json can be seen as well. */
  readonly mappings?: readonly PathMapping[];
}

/** `service.name` and `service.version` of an OpenTelemetry resource. */
export interface ResourceIdentity {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
}

interface Known {
  instanceId: string | undefined;
  declared: DeclaredIdentity;
  resource: ResourceIdentity;
}

/** Which service, in which version, a target is: for alerts, and to compare a version with the one before. */
export class ServiceIdentity {
  readonly #options: ServiceIdentityOptions;
  /** At most as many as there are targets. */
  readonly #known = new Map<string, Known>();

  constructor(options: ServiceIdentityOptions) {
    this.#options = options;
  }

  /** What the target's own spans say. It holds until the target is another process. */
  learn(target: Target, resource: ResourceIdentity): void {
    const known = this.#knownOf(target);
    known.resource = { ...known.resource, ...resource };
  }

  /**
   * By option, OpenTelemetry resource (spans, or the target's environment), the pod's template, package.json, in that order; the target's own name when
   * nothing else is known. Name and version are found each by itself. The first call for a process reads files of it: some milliseconds.
   */
  identityOf(target: Target): Identity {
    const { environment, serviceName, serviceVersion } = this.#options;
    const { declared, resource } = this.#knownOf(target);
    const pod = workloadOf(environment['pod'] ?? '');
    const { appName, appVersion } = target.identity ?? { appName: null, appVersion: null };
    const candidates: readonly [Identity['source'], string | null | undefined][] = [
      ['option', serviceName],
      ['otel', resource.name ?? declared.otel.name],
      ['pod', pod?.name],
      ['package', appName ?? declared.package.name],
      ['target', target.name],
    ];
    const [source, name] = candidates.find(([, text]) => isGiven(text)) ?? ['target', target.id];
    const versions = [
      serviceVersion,
      resource.version ?? declared.otel.version,
      pod?.templateHash,
      appVersion ?? declared.package.version,
    ];
    return { name: name ?? target.id, version: versions.find(isGiven) ?? null, source };
  }

  /** What the target's environment tells its OpenTelemetry SDK; undefined when that is nothing, or cannot be read. */
  samplerOf(target: Target): SamplerSetting | undefined {
    return this.#knownOf(target).declared.sampler;
  }

  forget(targetId: string): void {
    this.#known.delete(targetId);
  }

  #knownOf(target: Target): Known {
    const instanceId = target.identity?.instanceId;
    const known = this.#known.get(target.id);
    if (known !== undefined && known.instanceId === instanceId) return known;
    const read: Known = { instanceId, declared: readDeclared(target, this.#options.mappings ?? []), resource: {} };
    this.#known.set(target.id, read);
    return read;
  }
}

function isGiven(text: string | null | undefined): text is string {
  return text !== null && text !== undefined && text !== '';
}

/** `shop-7d4b9c6f5d-x2x9z`: a Deployment, the hash of its pod template, the pod. Their letters: k8s.io/apimachinery/pkg/util/rand. */
export function workloadOf(podName: string): { name: string; templateHash: string } | undefined {
  const [, name, templateHash] =
    /^(.+)-([bcdfghjklmnpqrstvwxz2456789]{6,10})-[bcdfghjklmnpqrstvwxz2456789]{5}$/.exec(podName) ?? [];
  return name === undefined || templateHash === undefined ? undefined : { name, templateHash };
}
