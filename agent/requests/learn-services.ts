import { integerOf, textOf } from '../../protocol/otlp/attributes.ts';
import type { Resource } from '../../protocol/otlp/model.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { ServiceIdentity } from '../service-identity.ts';
import type { SpanSink } from './span-sink.ts';

interface Learning {
  readonly targets: { list(): readonly Target[] };
  readonly identities: Pick<ServiceIdentity, 'learn'>;
}

/** Hands spans on, and what their resources say of a target's name and version to `identities`. */
export function learnServices(sink: SpanSink, learning: Learning): SpanSink {
  // All spans of a request share their resource.
  const seen = new WeakSet<Resource>();
  return {
    add(spans, batch) {
      for (const { resource } of spans) {
        if (seen.has(resource)) continue;
        seen.add(resource);
        learn(resource, learning);
      }
      sink.add(spans, batch);
    },
  };
}

/** Whose spans they are: by the process id that the sender tells; without one it can only be the one target that there is. */
export function targetOf({ attributes }: Resource, targets: readonly Target[]): Target | undefined {
  const pid = integerOf(attributes, 'process.pid');
  if (pid === undefined) return targets.length === 1 ? targets[0] : undefined;
  return targets.find(({ identity }) => identity?.pid === pid);
}

function learn(resource: Resource, { targets, identities }: Learning): void {
  const { attributes } = resource;
  const target = targetOf(resource, targets.list());
  if (target === undefined) return;
  const name = textOf(attributes, 'service.name');
  const version = textOf(attributes, 'service.version');
  identities.learn(target, {
    // What an SDK says that was told nothing.
    ...(name !== undefined && !name.startsWith('unknown_service') && { name }),
    ...(version !== undefined && { version }),
  });
}
