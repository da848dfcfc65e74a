import { issueText, readLocatedList, type FileProblem } from '../options/located-list.ts';
import { destinationShape, maxDestinations, type DestinationConfig } from './egress-schema.ts';

export interface EgressReading {
  /** Those that are right: one that is wrong does not keep the others from being used. */
  readonly destinations: readonly DestinationConfig[];
  readonly problems: readonly FileProblem[];
}

/** The `egress` of a configuration file. */
export async function readEgress(text: string): Promise<EgressReading> {
  const list = await readLocatedList(text, { key: 'egress', max: maxDestinations });
  if (!('items' in list)) return { destinations: [], problems: [list] };
  const problems: FileProblem[] = [];
  const destinations: DestinationConfig[] = [];
  for (const [index, item] of list.items.entries()) {
    const parsed = destinationShape.safeParse(item);
    if (!parsed.success) {
      for (const issue of parsed.error.issues)
        problems.push({ line: list.lineOf(['egress', index, ...issue.path]), message: issueText(issue) });
    } else if (destinations.some(({ name }) => name === parsed.data.name)) {
      const line = list.lineOf(['egress', index, 'name']);
      problems.push({ line, message: `there are two destinations named ${parsed.data.name}` });
    } else destinations.push(parsed.data);
  }
  return { destinations, problems: problems.slice(0, 20) };
}

/** `s3://…`, `pyroscope+https://…`, `webhook+https://…`, `file:///…`: a destination with everything at its default, named by its kind. */
export function parseEgressUrl(text: string): DestinationConfig | { readonly problem: string } {
  const [, scheme = '', rest = ''] = /^(s3|pyroscope|webhook|file)(?:\+(https?:.*)|:.*)$/.exec(text) ?? [];
  const config = {
    s3: { name: 's3', kind: 's3', url: text },
    pyroscope: { name: 'pyroscope', kind: 'pyroscope', url: rest },
    webhook: { name: 'webhook', kind: 'webhook', url: rest },
    file: { name: 'directory', kind: 'directory', path: text.replace(/^file:(\/\/)?/, '') },
  }[scheme];
  if (config === undefined)
    return { problem: 'must be s3://BUCKET/PREFIX, pyroscope+https://HOST, webhook+https://HOST/PATH or file:///PATH' };
  const parsed = destinationShape.safeParse(config);
  if (parsed.success) return parsed.data;
  return { problem: parsed.error.issues.map(issueText).join('; ') };
}
