import { SidescopeError } from '../../protocol/error.ts';
import type { HeapAnalysis } from '../../protocol/heap-snapshot/analyse.ts';
import { topNodes } from '../../protocol/heap-snapshot/biggest.ts';
import { growth } from '../../protocol/heap-snapshot/class-changes.ts';
import type { ClassChange } from '../../protocol/heap-snapshot/class-changes.ts';
import { diffSnapshots } from '../../protocol/heap-snapshot/diff.ts';
import type { DiffBase } from '../../protocol/heap-snapshot/diff.ts';
import { describeObject, fieldsOf, retainersOf } from '../../protocol/heap-snapshot/explore.ts';
import type { Listed } from '../../protocol/heap-snapshot/explore.ts';
import { nodeOfId } from '../../protocol/heap-snapshot/graph.ts';
import { edgeText, firstOwnStep, pathText, pathTo } from '../../protocol/heap-snapshot/paths.ts';
import { retainersOfClass } from '../../protocol/heap-snapshot/retainer-groups.ts';
import { summarizeHeap } from '../../protocol/heap-snapshot/summary.ts';
import type {
  ClassDetail,
  ClassOrder,
  ClassQuery,
  ClassRow,
  Comparison,
  ObjectDetail,
  Overview,
  Page,
} from './messages.ts';
import { pageLength } from './messages.ts';

const listed = 200;
const objectsOfClass = 200;
const stepsShown = 40;
/** What the page shows of a string: the rest would only be moved from one thread to the other. */
const textMax = 300;

/** Questions to one analysed snapshot. Synchronous; each answer is small, whatever the snapshot's size. */
export class HeapExplorer {
  readonly #analysis: HeapAnalysis;
  #changes: ReadonlyMap<string, ClassChange> | undefined;
  /** As sorted last: pages of one list are asked for one after the other. */
  #sorted: { readonly key: string; readonly rows: readonly ClassRow[] } | undefined;

  constructor(analysis: HeapAnalysis) {
    this.#analysis = analysis;
  }

  overview(): Overview {
    const { classes: _classes, ...rest } = summarizeHeap(this.#analysis, listed);
    return {
      ...rest,
      biggest: rest.biggest.map((object) => ({ ...object, name: cut(object.name) })),
      duplicates: rest.duplicates.map((string) => ({ ...string, text: cut(string.text) })),
    };
  }

  /**
   * From now on classes have their change since the first of `bases`: one or two other snapshots of the same process, the
   * earlier first. With two only what the second has too is listed as grown. Throws `invalid-request` for none.
   */
  compare([first, middle]: readonly DiffBase[]): Comparison {
    if (first === undefined) throw new SidescopeError('invalid-request', 'there is nothing to compare with');
    const bases = middle === undefined ? ([first] as const) : ([first, middle] as const);
    const { snapshots, warning, totals, classes, grown } = diffSnapshots(bases, this.#analysis);
    this.#changes = new Map(classes.map((change) => [change.name, change]));
    this.#sorted = undefined;
    return { snapshots, warning, totals, changedClasses: classes.length, grown: grown.slice(0, listed) };
  }

  classes(query: ClassQuery): Page<ClassRow> {
    const { offset, limit, ...choice } = query;
    const key = JSON.stringify(choice);
    if (this.#sorted?.key !== key) this.#sorted = { key, rows: this.#sort(choice) };
    const { rows } = this.#sorted;
    return { total: rows.length, rows: rows.slice(offset, offset + limit) };
  }

  /** What holds the objects of a class, and the biggest of them. Throws `not-found`. */
  class(name: string): ClassDetail {
    const { classes, dominated } = this.#analysis;
    const found = retainersOfClass(this.#analysis, name);
    if (found === undefined) throw new SidescopeError('not-found', `the snapshot has no class ${name.slice(0, 100)}`);
    const isWanted = (node: number): boolean => classes.nameOf(node) === name;
    return {
      name,
      count: found.count,
      groups: found.groups,
      objects: topNodes(dominated.retainedSizes, { limit: objectsOfClass, isWanted: byClass(this.#analysis, isWanted) })
        .map((node) => describeObject(this.#analysis, node))
        .map((object) => ({ ...object, name: cut(object.name) })),
    };
  }

  /** Throws `not-found` for an id or a node that the snapshot has not. */
  object(asked: { readonly node: number } | { readonly id: number }): ObjectDetail {
    const { graph, paths } = this.#analysis;
    const node = 'node' in asked ? asked.node : nodeOfId(graph, asked.id);
    if (node === undefined || !(node >= 0 && node < graph.nodeCount))
      throw new SidescopeError('not-found', `the snapshot has no object @${'id' in asked ? asked.id : asked.node}`);
    const steps = pathTo(paths, node);
    const own = steps.slice(firstOwnStep(graph, steps));
    const shown = own.slice(-stepsShown);
    return {
      object: this.#describe(node),
      way: shown.map((step, index) => ({
        edge: step.edge === undefined || (index === 0 && own.length === shown.length) ? '' : edgeText(graph, step.edge),
        object: this.#describe(step.node),
      })),
      omittedSteps: own.length - shown.length,
      path: pathText(graph, steps),
    };
  }

  fields(node: number, offset: number): Listed {
    return shortNames(fieldsOf(this.#analysis, node, { offset, limit: pageLength }));
  }

  retainers(node: number, offset: number): Listed {
    return shortNames(retainersOf(this.#analysis, node, { offset, limit: pageLength }));
  }

  #describe(node: number) {
    const object = describeObject(this.#analysis, node);
    return { ...object, name: cut(object.name) };
  }

  #sort({ order, isDescending, filter }: Pick<ClassQuery, 'order' | 'isDescending' | 'filter'>): ClassRow[] {
    const wanted = filter.trim().toLowerCase();
    const rows = this.#rows().filter(({ name }) => wanted === '' || name.toLowerCase().includes(wanted));
    const sign = isDescending ? -1 : 1;
    const value = valueOf[order];
    return rows.sort((a, b) => {
      const difference = order === 'name' ? compareText(a.name, b.name) : value(a) - value(b);
      return sign * difference || compareText(a.name, b.name);
    });
  }

  /** With those that are gone since the snapshot compared with. */
  #rows(): ClassRow[] {
    const { histogram } = this.#analysis;
    const changes = this.#changes;
    if (changes === undefined) return histogram.map((entry) => ({ ...entry, change: null }));
    const known = new Set(histogram.map(({ name }) => name));
    const gone = [...changes.keys()]
      .filter((name) => !known.has(name))
      .map((name) => ({ name, count: 0, selfBytes: 0, retainedBytes: 0 }));
    return [...histogram, ...gone].map((entry) => {
      const change = changes.get(entry.name);
      return {
        ...entry,
        change: {
          count: change === undefined ? 0 : growth(change.counts),
          newCount: change?.newCount ?? 0,
          freedCount: change?.freedCount ?? 0,
          retainedBytes: change === undefined ? 0 : growth(change.retainedBytes),
        },
      };
    });
  }
}

const valueOf: Readonly<Record<ClassOrder, (row: ClassRow) => number>> = {
  name: () => 0,
  count: ({ count }) => count,
  self: ({ selfBytes }) => selfBytes,
  retained: ({ retainedBytes }) => retainedBytes,
  new: ({ change }) => change?.count ?? 0,
  growth: ({ change }) => change?.retainedBytes ?? 0,
};

/** Names of classes are compared once per class, not once per node. */
function byClass({ classes }: HeapAnalysis, isWanted: (node: number) => boolean): (node: number) => boolean {
  const known = new Uint8Array(classes.count);
  return (node) => {
    const index = classes.of(node);
    if (known[index] === 0) known[index] = isWanted(node) ? 2 : 1;
    return known[index] === 2;
  };
}

function shortNames({ total, fields }: Listed): Listed {
  return { total, fields: fields.map((field) => ({ ...field, name: cut(field.name), edge: cut(field.edge) })) };
}

function cut(text: string): string {
  return text.length <= textMax ? text : `${text.slice(0, textMax)}…`;
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
