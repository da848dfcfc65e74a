import type { Target } from '../protocol/rest/target.ts';

export interface Identity {
  readonly name: string;
  readonly version: string | null;
  /** Where the name comes from. */
  readonly source: 'option' | 'otel' | 'pod' | 'package' | 'target';
}

export interface ServiceIdentityOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** `--service-name` and `--service-version`: they hold for every target. */
  readonly serviceName?: string | undefined;
  readonly serviceVersion?: string | undefined;
}

/** Which service, in which version, a target is: for alerts, and to compare a version with the one before. */
export class ServiceIdentity {
  readonly #options: ServiceIdentityOptions;
  readonly #resources = new Map<string, ResourceIdentity>();

  constructor(options: ServiceIdentityOptions) {
    this.#options = options;
  }

  /** What the target's own spans or environment say (`service.name`, `service.version`). */
  learn(targetId: string, resource: ResourceIdentity): void {
    this.#resources.set(targetId, { ...this.#resources.get(targetId), ...resource });
  }

  /** By option, OpenTelemetry resource, the pod's template, package.json, in that order; the name of the target when nothing else is known. Name and version are found one by one. */
  identityOf(target: Pick<Target, 'id' | 'name' | 'identity'>): Identity {
    const { environment, serviceName, serviceVersion } = this.#options;
    const resource = this.#resources.get(target.id);
    const pod = workloadOf(environment['pod'] ?? '');
    const candidates: readonly [Identity['source'], string | null | undefined][] = [
      ['option', serviceName],
      ['otel', resource?.name],
      ['pod', pod?.name],
      ['package', target.identity?.appName],
      ['target', target.name],
    ];
    const [source, name] = candidates.find(([, text]) => text) ?? ['target', target.id];
    const versions = [serviceVersion, resource?.version, pod?.templateHash, target.identity?.appVersion];
    return { name: name ?? target.id, version: versions.find((text) => text) ?? null, source };
  }
}

export interface ResourceIdentity {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
}

/** `shop-7d4b9c6f5d-x2x9z`: a Deployment, the hash of its pod template, the pod. Their letters: k8s.io/apimachinery/pkg/util/rand. */
function workloadOf(podName: string): { name: string; templateHash: string } | undefined {
  const [, name, templateHash] =
    /^(.+)-([bcdfghjklmnpqrstvwxz2456789]{6,10})-[bcdfghjklmnpqrstvwxz2456789]{5}$/.exec(podName) ?? [];
  return name === undefined || templateHash === undefined ? undefined : { name, templateHash };
}
