import { describe, expect, it } from 'vitest';
import { checklist } from '../../dashboard/model/checklist.ts';
import type { PageState } from '../../dashboard/model/page-state.ts';
import { emptyState } from '../../dashboard/model/page-state.ts';
import { connectingTarget, sampleInfo, sampleStorage, sampleTarget } from './samples.ts';

const good: PageState = {
  ...emptyState,
  connection: { state: 'live' },
  info: sampleInfo(),
  storage: sampleStorage,
  targets: [sampleTarget()],
};

/** One line per item, as a reader sees it. */
function read(over: Partial<PageState> = {}): string[] {
  return checklist({ ...good, ...over }).map(
    ({ name, label, sentence, line }) => `${name}: ${label}. ${sentence}${line === null ? '' : ` [${line}]`}`,
  );
}

describe('the checklist', () => {
  it('says what is on, and what this version does not have', () => {
    expect(read()).toEqual([
      'Inspector: On. shop is attached.',
      'Vitals and stalls: On. Memory, CPU and event loop are read, and a blocked loop is recorded with its stacks.',
      'Spans: Off. Requests as waterfalls, by OpenTelemetry: not asked for. [--otlp-address 127.0.0.1:4318]',
      "Metrics: Off. Series of the target beside its profiles: Not read. The agent's own are there for Prometheus. [curl http://127.0.0.1:7778/metrics]",
      'Storage: On. 2 profiles in /var/lib/sidescope; the budget is 2 GiB.',
      'Egress: Off. Profiles stay in this agent; to have them sent to S3, Pyroscope or a volume: [--egress-url s3://BUCKET/PREFIX]',
      'Alerts: Here only. Shown on this page and in the log only; to have them sent: [--webhook-url https://example.com/hook]',
    ]);
  });

  it.each<[string, Partial<PageState>, string]>([
    [
      'spans that nobody sent yet',
      { info: sampleInfo({ features: [{ name: 'otlp', state: 'on', reason: null, remedy: null }] }) },
      'Spans: None yet. They are received, and none came yet; start the application with: [OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318]',
    ],
    [
      'spans',
      {
        info: sampleInfo({ features: [{ name: 'otlp', state: 'on', reason: null, remedy: null }] }),
        requests: { spans: 1200, requests: 50, failed: 0, timelines: 50 },
      },
      'Spans: On. 1,200 spans came.',
    ],
    [
      'profiles that are sent',
      { info: sampleInfo({ features: [{ name: 'egress', state: 'on', reason: null, remedy: null }] }) },
      'Egress: On. Profiles are sent on as they are stored.',
    ],
    [
      'a destination that is written wrongly',
      {
        info: sampleInfo({ features: [{ name: 'egress', state: 'failed', reason: 'line 3: no bucket', remedy: 'x' }] }),
      },
      'Egress: Failed. Line 3: no bucket. [--egress-url s3://BUCKET/PREFIX]',
    ],
    ['no target at all', { targets: [] }, 'Inspector: Off. No target is named. [--target 127.0.0.1:9229]'],
    [
      'a target without an inspector, on loopback whatever its address is',
      { targets: [connectingTarget] },
      'Inspector: Off. billing:9229 is not attached; start it with: [node --inspect=127.0.0.1:9229 --inspect-publish-uid=http app.js]',
    ],
    [
      'one of several',
      { targets: [sampleTarget(), { ...connectingTarget, address: '127.0.0.1:9230', name: 'mailer' }] },
      'Inspector: Partly. 1 of 2 targets attached; start mailer with: [node --inspect=127.0.0.1:9230 --inspect-publish-uid=http app.js]',
    ],
    [
      'a target whose inspector opens for captures only',
      { targets: [sampleTarget({ state: { state: 'standby', since: '2026-01-01T00:00:00.000Z' } })] },
      'Inspector: On. shop stands by: its inspector opens for each capture.',
    ],
    [
      'stalls that are not watched for',
      {
        info: sampleInfo({
          features: [
            { name: 'vitals', state: 'on', reason: null, remedy: null },
            {
              name: 'stall-watch',
              state: 'off',
              reason: '--stall-threshold is 0',
              remedy: 'Set --stall-threshold, such as 1s.',
            },
          ],
        }),
      },
      'Vitals and stalls: Partly. The stall watch: --stall-threshold is 0. [--stall-threshold]',
    ],
    [
      'an ops listener that is off',
      { info: sampleInfo({ listeners: { admin: 'http://127.0.0.1:7777', ops: null, control: null } }) },
      "Metrics: Off. Series of the target beside its profiles: Not read. The agent's own are off: the ops listener serves them. [--ops-address 0.0.0.0:7778]",
    ],
    [
      'a sink that alerts go to',
      {
        info: sampleInfo({
          features: [
            { name: 'sentry', state: 'on', reason: null, remedy: null },
            { name: 'webhook', state: 'off', reason: null, remedy: null },
          ],
        }),
      },
      'Alerts: On. Sent to sentry.',
    ],
    [
      'series that are read',
      { info: sampleInfo({ features: [{ name: 'metrics', state: 'on', reason: null, remedy: null }] }) },
      "Metrics: On. Series of the target are read. The agent's own are there for Prometheus.",
    ],
    [
      'a metrics page that cannot be read',
      {
        info: sampleInfo({
          features: [{ name: 'metrics', state: 'failed', reason: 'the page is HTML', remedy: null }],
        }),
      },
      "Metrics: Failed. Series of the target beside its profiles: The page is HTML. The agent's own are there for Prometheus. [--metrics-url http://127.0.0.1:3000/metrics]",
    ],
    [
      'a temporary directory',
      { storage: { ...sampleStorage, temporary: true, directory: '/tmp/sidescope-a1B2c3' } },
      'Storage: Temporary. 2 profiles in /tmp/sidescope-a1B2c3; the budget is 2 GiB. They are lost with the agent. [--data-dir /data --disk-budget 2GiB]',
    ],
    [
      'a directory that cannot be used',
      {
        storage: null,
        info: sampleInfo({
          features: [{ name: 'storage', state: 'failed', reason: 'another agent uses /data', remedy: null }],
        }),
      },
      'Storage: Failed. another agent uses /data [--data-dir /data --disk-budget 2GiB]',
    ],
  ])('%s', (_, over, line) => {
    expect(read(over)).toContain(line);
  });
});
