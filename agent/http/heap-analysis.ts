import { heapSummaryText } from '../../protocol/heap-snapshot/report.ts';
import type { HeapClassList, HeapSnapshotDiff } from '../../protocol/rest/heap-analysis.ts';
import { operationAnswer } from './operations.ts';
import { requireStore } from './profiles.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function heapAnalysisHandlers(services: AdminServices): Pick<Handlers, 'analyseProfile' | 'listClasses'> {
  const { captures, heapAnalyses } = services;
  return {
    analyseProfile: async (request) => {
      const { id, query, subject } = request;
      requireStore(services);
      const against = [query.against, query.third].filter((earlier) => earlier !== undefined);
      const operation = heapAnalyses.start({ profileId: id, against, startedBy: subject.name });
      return operationAnswer({ captures, request, operation });
    },

    listClasses: ({ id, query: { limit = 100, name = '' } }) => {
      requireStore(services);
      const { analysedAt, classes, summary } = heapAnalyses.analysed(id);
      const wanted = name.toLowerCase();
      const body: HeapClassList = {
        profileId: id,
        analysedAt,
        total: summary.classCount,
        classes: classes.filter((entry) => entry.name.toLowerCase().includes(wanted)).slice(0, limit),
      };
      return Response.json(body);
    },
  };
}

/** What `GET /profiles/:id/summary` says of a heap snapshot. Throws `not-analysed`. */
export function snapshotSummary(
  { heapAnalyses }: AdminServices,
  { id, format, limit }: { id: string; format: 'json' | 'text'; limit: number },
): Response {
  const { summary, classes } = heapAnalyses.analysed(id);
  const cut = {
    ...summary,
    classes: classes.slice(0, limit),
    biggest: summary.biggest.slice(0, limit),
    duplicates: summary.duplicates.slice(0, limit),
  };
  if (format === 'json') return Response.json({ kind: 'heap-snapshot', ...cut });
  return new Response(heapSummaryText(cut), { headers: { 'content-type': 'text/plain; charset=utf-8' } });
}

/** What `GET /profiles/:id/diff/:other` says of two or three. Throws `not-analysed`. */
export function snapshotDiff({ heapAnalyses }: AdminServices, ids: readonly string[], limit: number): Response {
  const { before, middle, after, diff } = heapAnalyses.compared(ids);
  const { classes, grown, ...rest } = diff;
  const body = { kind: 'heap-snapshot' as const, before, middle, after, ...rest };
  const answer: HeapSnapshotDiff = {
    ...body,
    classes: classes.slice(0, limit).map((change) => ({
      ...change,
      counts: [...change.counts],
      selfBytes: [...change.selfBytes],
      retainedBytes: [...change.retainedBytes],
    })),
    grown: grown.slice(0, limit),
  };
  return Response.json(answer);
}
