import type { Alert } from '../../protocol/rest/alerts.ts';
import { apiPath } from '../../protocol/rest/routes.ts';

/** Paths below the admin listener's address, which only a port-forward knows. */
export function profileLinks({ profileIds }: Pick<Alert, 'profileIds'>): string[] {
  return profileIds.map((id) => `${apiPath}/profiles/${id}`);
}

/** What brings a person to the page of the agent that saw it, from their own machine. Undefined outside Kubernetes. */
export function openCommand({ pod, namespace }: Readonly<Record<string, string>>): string | undefined {
  if (pod === undefined) return undefined;
  return `sidescope open pod/${pod}${namespace === undefined ? '' : ` -n ${namespace}`}`;
}
