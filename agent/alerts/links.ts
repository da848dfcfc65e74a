import type { Alert } from '../../protocol/rest/alerts.ts';
import { apiPath } from '../../protocol/rest/routes.ts';

/** Paths below the admin listener's address, which only a port-forward knows. */
export function profileLinks({ profileIds }: Pick<Alert, 'profileIds'>): string[] {
  return profileIds.map((id) => `${apiPath}/profiles/${id}`);
}
