import type { Feature } from '../../protocol/rest/info.ts';
import { formatBytes, plural } from '../format.ts';
import { spanLine } from './request-words.ts';
import type { PageState } from './page-state.ts';
import { sentence, type Tone } from './words.ts';

export interface ChecklistItem {
  readonly name: string;
  readonly tone: Tone;
  readonly label: string;
  readonly sentence: string;
  /** What to type or to set; null where nothing can be done about it. */
  readonly line: string | null;
}

/** What Sidescope could know about a process, and whether it does: on, off or failed, and the line that changes it. */
export function checklist(state: PageState): ChecklistItem[] {
  return [inspector(state), vitals(state), spans(state), metrics(state), storage(state), egress(state), alerts(state)];
}

function inspector({ targets }: PageState): ChecklistItem {
  const name = 'Inspector';
  const attached = targets.filter(isReached);
  const missing = targets.find((target) => !isReached(target));
  const [only] = targets;
  if (only === undefined) {
    return { name, tone: 'warn', label: 'Off', sentence: 'No target is named.', line: '--target 127.0.0.1:9229' };
  }
  const counted = `${attached.length} of ${plural(targets.length, 'target')} attached`;
  if (missing === undefined) {
    const how = only.state.state === 'standby' ? 'stands by: its inspector opens for each capture' : 'is attached';
    const sentence = targets.length === 1 ? `${only.name} ${how}.` : `${counted}.`;
    return { name, tone: 'good', label: 'On', sentence, line: null };
  }
  const sentence =
    targets.length === 1 ? `${only.name} is not attached; start it with:` : `${counted}; start ${missing.name} with:`;
  // Never another address than loopback: whoever reaches an inspector runs code in the process.
  const port = /:(\d+)$/.exec(missing.address)?.[1] ?? '9229';
  const line = `node --inspect=127.0.0.1:${port} --inspect-publish-uid=http app.js`;
  return { name, tone: 'warn', label: attached.length === 0 ? 'Off' : 'Partly', sentence, line };
}

function isReached({ state }: PageState['targets'][number]): boolean {
  return state.state === 'attached' || state.state === 'standby';
}

/** Readings and the stall watch together: what is off of them is named with its reason. */
function vitals({ info }: PageState): ChecklistItem {
  const name = 'Vitals and stalls';
  const parts = [
    { name: 'vitals', word: 'Vitals' },
    { name: 'stall-watch', word: 'The stall watch' },
  ].map(({ name: part, word }) => ({ word, feature: info?.features.find((other) => other.name === part) }));
  const told = parts.filter(({ feature }) => typeof feature?.reason === 'string');
  if (told.length === 0) {
    const sentence = 'Memory, CPU and event loop are read, and a blocked loop is recorded with its stacks.';
    return { name, tone: 'good', label: 'On', sentence, line: null };
  }
  const offs = parts.filter(({ feature }) => feature !== undefined && feature.state !== 'on');
  const label = offs.length === 0 ? 'On' : offs.length === parts.length ? 'Off' : 'Partly';
  const sentences = told.map(({ word, feature }) => `${word}: ${feature?.reason ?? ''}.`);
  const remedies = told.flatMap(({ feature }) => /--[a-z-]+(?: [\w/.]+)?/.exec(feature?.remedy ?? '') ?? []);
  return { name, tone: 'warn', label, sentence: sentences.join(' '), line: [...new Set(remedies)].join(' ') || null };
}

function spans({ info, requests }: PageState): ChecklistItem {
  const name = 'Spans';
  const feature = info?.features.find((other) => other.name === 'otlp');
  if (feature?.state !== 'on') {
    const tone = feature?.state === 'failed' ? 'bad' : 'warn';
    const sentence = `Requests as waterfalls, by OpenTelemetry: ${feature?.reason ?? 'not received'}.`;
    return { name, tone, label: labelOf(feature), sentence, line: '--otlp-address 127.0.0.1:4318' };
  }
  if (requests === null) {
    const sentence = 'They are received, and none came yet; start the application with:';
    return { name, tone: 'warn', label: 'None yet', sentence, line: spanLine };
  }
  return { name, tone: 'good', label: 'On', sentence: `${plural(requests.spans, 'span')} came.`, line: null };
}

function metrics({ info }: PageState): ChecklistItem {
  const name = 'Metrics';
  const ops = info?.listeners.ops ?? null;
  const own =
    ops === null
      ? "The agent's own are off: the ops listener serves them."
      : "The agent's own are there for Prometheus.";
  const feature = info?.features.find((other) => other.name === 'metrics');
  if (feature?.state === 'on') {
    const reason = feature.reason === null ? '' : ` ${sentence(feature.reason)}`;
    return { name, tone: 'good', label: 'On', sentence: `Series of the target are read.${reason} ${own}`, line: null };
  }
  const tone = feature?.state === 'failed' ? 'bad' : 'idle';
  const why = feature?.reason === undefined || feature.reason === null ? 'not read' : feature.reason;
  const line =
    feature === undefined && ops !== null
      ? `curl ${ops.replace('//0.0.0.0:', '//127.0.0.1:')}/metrics`
      : feature === undefined
        ? '--ops-address 0.0.0.0:7778'
        : '--metrics-url http://127.0.0.1:3000/metrics';
  const text = `Series of the target beside its profiles: ${sentence(why)} ${own}`;
  return { name, tone, label: labelOf(feature), sentence: text, line };
}

function storage({ info, storage: usage }: PageState): ChecklistItem {
  const name = 'Storage';
  const feature = info?.features.find((other) => other.name === 'storage');
  const line = '--data-dir /data --disk-budget 2GiB';
  if (usage === null) return { name, tone: 'bad', label: labelOf(feature), sentence: reasonOf(feature), line };
  const kept = `${plural(usage.profiles, 'profile')} in ${usage.directory}; the budget is ${formatBytes(usage.budgetBytes)}.`;
  if (!usage.temporary) return { name, tone: 'good', label: 'On', sentence: kept, line: null };
  return { name, tone: 'warn', label: 'Temporary', sentence: `${kept} They are lost with the agent.`, line };
}

/** Profiles stay here in any case; a pod's disk ends with the pod. */
function egress({ info }: PageState): ChecklistItem {
  const name = 'Egress';
  const feature = info?.features.find((other) => other.name === 'egress');
  const line = '--egress-url s3://BUCKET/PREFIX';
  if (feature?.state === 'on') {
    const tone = feature.reason === null ? 'good' : 'warn';
    const text = feature.reason === null ? 'Profiles are sent on as they are stored.' : sentence(feature.reason);
    return { name, tone, label: 'On', sentence: text, line: null };
  }
  if (feature?.state === 'failed')
    return { name, tone: 'bad', label: 'Failed', sentence: sentence(feature.reason ?? 'it failed'), line };
  const text = 'Profiles stay in this agent; to have them sent to S3, Pyroscope or a volume:';
  return { name, tone: 'idle', label: 'Off', sentence: text, line };
}

/** Episodes are kept and shown in any case; the sinks carry them to where people look. */
function alerts({ info }: PageState): ChecklistItem {
  const name = 'Alerts';
  const sinks = info?.features.filter((feature) => alertSinks.includes(feature.name)) ?? [];
  const failed = sinks.find(({ state }) => state === 'failed');
  if (failed !== undefined) {
    const text = `${failed.name}: ${sentence(failed.reason ?? 'it failed')}`;
    return { name, tone: 'bad', label: 'Failed', sentence: text, line: alertLine };
  }
  const on = sinks.filter(({ state }) => state === 'on').map((feature) => feature.name);
  if (on.length > 0) {
    return { name, tone: 'good', label: 'On', sentence: `Sent to ${on.join(' and ')}.`, line: null };
  }
  const text = 'Shown on this page and in the log only; to have them sent:';
  return { name, tone: 'warn', label: 'Here only', sentence: text, line: alertLine };
}

const alertSinks: readonly string[] = ['sentry', 'webhook'];
const alertLine = '--webhook-url https://example.com/hook';

function labelOf(feature: Feature | undefined): string {
  return feature?.state === 'failed' ? 'Failed' : 'Off';
}

function reasonOf(feature: Feature | undefined): string {
  return feature?.reason ?? 'Profiles cannot be kept.';
}
