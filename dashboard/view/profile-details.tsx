import { useState } from 'preact/hooks';
import type { Profile, ProfileFormat, SamplingMode } from '../../protocol/rest/profile.ts';
import { formatBytes, formatCount, formatDuration, formatRange, formatShare } from '../format.ts';
import { readLabels, writeLabels } from '../model/labels.ts';
import { downloadProfile, downloadRedacted } from '../open-profile.ts';
import { useAction, usePage } from './page-context.ts';
import { ProfileDeliveries } from './profile-deliveries.tsx';
import { ProfileRequests } from './profile-requests.tsx';
import { ProfileShortcomings } from './profile-shortcomings.tsx';
import { Dialog, Facts, ProblemNote, Time } from './parts.tsx';

const formatWords: Readonly<Record<ProfileFormat, string>> = {
  cpuprofile: '.cpuprofile',
  pprof: 'pprof',
  collapsed: 'Collapsed stacks',
  heapsnapshot: '.heapsnapshot',
  heapprofile: '.heapprofile',
};

const samplingWords: Readonly<Record<SamplingMode, string>> = {
  live: 'what was still in memory at the end',
  churn: 'everything allocated, collected or not',
};

export function ProfileDetails({ profile, nowMs }: { profile: Profile; nowMs: number }) {
  const { api, store } = usePage();
  const action = useAction();
  const [deleting, setDeleting] = useState(false);
  const change = (patch: { pinned?: boolean; labels?: Record<string, string> }): void =>
    action.run(async () => store.apply({ type: 'profile', profile: await api.patchProfile(profile.id, patch) }));
  return (
    <div class="details">
      <ProfileShortcomings profile={profile} />
      <ProfileFacts profile={profile} nowMs={nowMs} />
      <ProfileDeliveries profileId={profile.id} nowMs={nowMs} />
      {profile.kind === 'cpu' && <ProfileRequests profileId={profile.id} />}
      {profile.kind === 'heap-snapshot' && (
        <p class="hint">
          To read it: Explore, here in this browser; or Chrome DevTools, tab Memory, Load profile, with the downloaded
          file. To share it, download it redacted: contents of strings are replaced, classes and sizes stay.
        </p>
      )}
      <div class="act">
        {profile.formats.map((format) => (
          <button
            key={format}
            type="button"
            disabled={action.busy}
            onClick={() => action.run(() => downloadProfile(api, profile, format))}
          >
            Download {formatWords[format]}
          </button>
        ))}
        {profile.kind === 'heap-snapshot' && (
          <button type="button" disabled={action.busy} onClick={() => action.run(() => downloadRedacted(api, profile))}>
            Download redacted
          </button>
        )}
        <button type="button" disabled={action.busy} onClick={() => change({ pinned: !profile.pinned })}>
          {profile.pinned ? 'Unpin' : 'Pin: keep it'}
        </button>
        <button type="button" class="danger" disabled={action.busy} onClick={() => setDeleting(true)}>
          Delete…
        </button>
      </div>
      <LabelsForm key={writeLabels(profile.labels)} profile={profile} busy={action.busy} onSave={change} />
      <ProblemNote problem={action.problem} onClose={action.clear} />
      {deleting && <DeleteDialog profile={profile} onClose={() => setDeleting(false)} />}
    </div>
  );
}

function ProfileFacts({ profile, nowMs }: { profile: Profile; nowMs: number }) {
  const { cpu, sampling, snapshot, cost, target } = profile;
  const environment = Object.entries(profile.environment).map(([name, value]) => `${name} ${value}`);
  return (
    <Facts
      rows={[
        ['File', <code>{profile.fileName}</code>],
        ['Started', <Time iso={profile.startedAt} nowMs={nowMs} />],
        ['Taken by', `${profile.trigger.by} (${profile.trigger.kind})`],
        ['Process', `pid ${target.pid} on ${target.hostname}, Node ${target.nodeVersion.replace(/^v/, '')}`],
        ['Thread', `${profile.thread.id} ${profile.thread.url}`],
        ['On disk', formatBytes(profile.storedBytes)],
        ['Samples', cpu && `${formatCount(cpu.samples)} in ${formatCount(cpu.nodes)} nodes`],
        ['Rate', cpu && `every ${formatCount(cpu.intervalUs)} µs asked, ${formatCount(cpu.samplingHz)} per second had`],
        ['Mode', sampling && samplingWords[sampling.mode]],
        ['Sampled', sampling && `${formatBytes(sampling.sampledBytes)} in ${formatCount(sampling.samples)} samples`],
        ['Idle', shareOrNull(cpu?.idleShare)],
        ['In GC', shareOrNull(cpu?.gcShare)],
        ['Pause', cost.pauseMs === null ? null : formatDuration(cost.pauseMs)],
        ['Pause predicted', snapshot && formatRange(snapshot.predictedPauseMs, formatDuration)],
        ['Memory before', cost.rssBeforeBytes === null ? null : formatBytes(cost.rssBeforeBytes)],
        ['Memory peak', cost.rssPeakBytes === null ? null : formatBytes(cost.rssPeakBytes)],
        ['Memory after', cost.rssAfterBytes === null ? null : formatBytes(cost.rssAfterBytes)],
        ['Peak predicted', snapshot && formatRange(snapshot.predictedPeakBytes, formatBytes)],
        ['Where', environment.join(', ')],
        ['SHA-256', <code class="hash">{profile.sha256}</code>],
      ]}
    />
  );
}

function shareOrNull(share: number | null | undefined): string | null {
  return typeof share === 'number' ? formatShare(share) : null;
}

function LabelsForm(props: {
  profile: Profile;
  busy: boolean;
  onSave: (patch: { labels: Record<string, string> }) => void;
}) {
  const [text, setText] = useState(writeLabels(props.profile.labels));
  const labels = readLabels(text);
  const id = `labels-${props.profile.id}`;
  return (
    <form
      class="labels"
      onSubmit={(event) => {
        event.preventDefault();
        if (labels.error === null) props.onSave({ labels: labels.value });
      }}
    >
      <label for={id}>Labels</label>
      <input
        id={id}
        value={text}
        placeholder="ticket: OPS-12, before-fix"
        aria-invalid={labels.error !== null}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" disabled={props.busy || labels.error !== null}>
        Save
      </button>
      {labels.error !== null && <span class="warn-text">{labels.error}</span>}
    </form>
  );
}

function DeleteDialog({ profile, onClose }: { profile: Profile; onClose: () => void }) {
  const { api, store } = usePage();
  const action = useAction();
  const remove = (): void =>
    action.run(async () => {
      await api.deleteProfile(profile.id);
      store.apply({ type: 'profiles-gone', ids: [profile.id] });
    });
  return (
    <Dialog title="Delete this profile?" onClose={onClose}>
      <p>
        <code>{profile.fileName}</code>, {formatBytes(profile.sizeBytes)}. It cannot be brought back.
      </p>
      <ProblemNote problem={action.problem} />
      <div class="act">
        <button type="button" onClick={onClose}>
          Keep it
        </button>
        <button type="button" class="danger" disabled={action.busy} onClick={remove}>
          Delete
        </button>
      </div>
    </Dialog>
  );
}
