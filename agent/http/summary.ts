import { cpuSummaryText } from '../../protocol/cpu-profile/report.ts';
import type { CpuSummary } from '../../protocol/cpu-profile/report.ts';
import { heapSamplingText } from '../../protocol/heap-sampling/report.ts';
import type { ProfileSummary } from '../../protocol/rest/summary.ts';
import { requireScope } from './auth.ts';
import { snapshotSummary } from './heap-analysis.ts';
import { requireStore } from './profiles.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function summaryHandlers(services: AdminServices): Pick<Handlers, 'getSummary'> {
  return {
    getSummary: async ({ id, query, subject, signal }) => {
      const profile = requireStore(services).get(id);
      if (profile.kind !== 'cpu') requireScope(subject, 'heap');
      if (profile.kind === 'heap-snapshot') {
        return snapshotSummary(services, { id, format: query.format ?? 'json', limit: query.limit ?? 20 });
      }
      const summary = await services.storedProfiles.summarize(id, query.limit ?? 20, signal);
      if (query.format !== 'text') return Response.json(summary);
      return new Response(summaryText(summary), { headers: { 'content-type': 'text/plain; charset=utf-8' } });
    },
  };
}

function summaryText(summary: ProfileSummary): string {
  // The schema has the categories as words.
  return summary.kind === 'cpu' ? cpuSummaryText(summary as CpuSummary) : heapSamplingText(summary);
}
