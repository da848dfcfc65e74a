/** The samples of one request, as the labels of a pprof file name it. */
export interface RequestSamples {
  readonly traceId: string;
  readonly name: string;
  /** The label `http.route`; the name of the request where there is none. */
  readonly route: string;
  /** Nodes of the tree, with what of their own weight is the request's. A node may be there more than once. */
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
  /** Of all its weight, what is not labelled as likely only. */
  readonly sureWeight: number;
}

/** Beyond that, requests are left out: nobody chooses among so many. */
const requestsMax = 5_000;

interface Mutable extends RequestSamples {
  readonly nodes: number[];
  readonly weights: number[];
  sureWeight: number;
}

/** Gathers samples by the request that their labels name; others are nobody's. */
export class RequestTable {
  readonly #texts: readonly string[];
  readonly #byKey = new Map<string, Mutable>();

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  get list(): RequestSamples[] {
    return [...this.#byKey.values()];
  }

  /** Labels as numbers of texts: the key's, and the value's. */
  add(
    labels: readonly (readonly [key: number, text: number, ...rest: number[]])[],
    { node, weight }: { node: number; weight: number },
  ): void {
    if (labels.length === 0) return;
    const values = new Map(labels.map(([key, text]) => [this.#texts[key], this.#texts[text] ?? '']));
    const traceId = values.get('trace_id') ?? '';
    if (traceId === '') return;
    const name = values.get('span_name') ?? '';
    const route = values.get('http.route') ?? name;
    const request = this.#of({ traceId, name, route });
    if (request === undefined) return;
    request.nodes.push(node);
    request.weights.push(weight);
    if (values.get('confidence') !== 'likely') request.sureWeight += weight;
  }

  #of(named: Pick<RequestSamples, 'traceId' | 'name' | 'route'>): Mutable | undefined {
    const key = `${named.traceId}\n${named.route}\n${named.name}`;
    const known = this.#byKey.get(key);
    if (known !== undefined || this.#byKey.size === requestsMax) return known;
    const request = { ...named, nodes: [], weights: [], sureWeight: 0 };
    this.#byKey.set(key, request);
    return request;
  }
}
