import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function egressHandlers({ egress }: AdminServices): Pick<Handlers, 'readEgress'> {
  return { readEgress: () => Response.json(egress.view()) };
}
