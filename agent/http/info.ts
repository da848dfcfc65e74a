import type { Info } from '../../protocol/rest/info.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function infoHandlers(services: AdminServices): Pick<Handlers, 'info'> {
  return {
    info: ({ subject }) => {
      const { name, scopes, expiresAtMs } = subject;
      const expiresAt = Number.isFinite(expiresAtMs) ? new Date(expiresAtMs).toISOString() : null;
      return Response.json({ ...services.info(), you: { name, scopes: [...scopes], expiresAt } } satisfies Info);
    },
  };
}
